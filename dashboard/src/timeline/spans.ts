// Who did what when: transitions as bars. In: the history of a run. Out: a row for each step, in the order in which they
// first began, with its spans. Pure.
import type { HistoryItem } from "../api/detail";
import type { RunAnswer } from "../api/types";
import { isLive, stepLook } from "../words/phases";
import type { Tone } from "../words/phases";
import { parseMoment } from "../words/times";

export interface Span {
  readonly from: number;
  /** Undefined: it goes on. */
  readonly to: number | undefined;
  readonly phase: string;
  readonly ended: string | undefined;
  readonly attempt: number;
  readonly round: number;
  readonly tone: Tone;
}

export interface Row {
  readonly path: string;
  readonly spans: readonly Span[];
}

/** Return the rows of a history. */
export function rowsOf(items: readonly HistoryItem[]): Row[] {
  const rows = new Map<string, Span[]>();
  const open = new Map<string, Omit<Span, "to" | "ended" | "tone">>();
  const end = (path: string, to: number | undefined, ended: string | undefined): void => {
    const span = open.get(path);
    if (!span) return;
    open.delete(path);
    rows.get(path)?.push({ ...span, to, ended, tone: toneOf(span.phase, ended) });
  };
  for (const item of items) {
    const at = parseMoment(item.at);
    if (item.path === "" || at === undefined) continue;
    end(item.path, at, item.to);
    if (!isLive(item.to)) continue;
    if (!rows.has(item.path)) rows.set(item.path, []);
    open.set(item.path, { from: at, phase: item.to, attempt: item.attempt, round: item.round });
  }
  for (const path of [...open.keys()]) end(path, undefined, undefined);
  return [...rows].map(([path, spans]) => ({ path, spans }));
}

/** Return the rows that the status knows of: one span for each step. */
export const rowsOfStatus = (run: RunAnswer): Row[] =>
  (run.status.steps ?? []).flatMap((step) => {
    const from = parseMoment(step.startedAt);
    if (from === undefined) return [];
    const to = isLive(step.phase) ? undefined : parseMoment(step.finishedAt);
    return [{ path: step.name, spans: [{ from, to, phase: step.phase, ended: step.phase, attempt: step.attempts ?? 1, round: step.round ?? 1, tone: stepLook(step.phase).tone }] }];
  });

/** A bar has the colour of what it did and how that ended: the way back is of one colour, whatever came of it. */
function toneOf(phase: string, ended: string | undefined): Tone {
  if (phase === "Undoing" || phase === "Compensating") return ended === "RollbackFailed" ? "bad" : "back";
  if (phase === "Waiting" || phase === "Retrying") return "waiting";
  if (ended === undefined) return "active";
  if (ended === "Succeeded" || ended === "Skipped") return "good";
  return ["Failed", "Retrying", "Compensating", "Ignored", "RollbackFailed"].includes(ended) ? "bad" : "neutral";
}

export interface Extent {
  readonly from: number;
  readonly to: number;
}

/** Return from when to when the rows go. `now`: until then goes what has not ended. */
export function extentOf(rows: readonly Row[], now: number): Extent {
  let [from, to] = [Infinity, -Infinity];
  for (const { spans } of rows) {
    for (const span of spans) {
      from = Math.min(from, span.from);
      to = Math.max(to, span.to ?? Math.max(now, span.from));
    }
  }
  return Number.isFinite(from) ? { from, to: Math.max(to, from + 1) } : { from: now, to: now + 1 };
}
