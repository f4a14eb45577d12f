// The time that goes on. One timer for all who show it.
import { useSyncExternalStore } from "react";
import type { ReactNode } from "react";
import { parseMoment, renderDistance, renderDuration, renderMoment } from "../words/times";

const TICK_MS = 1000;
const watchers = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function watch(changed: () => void): () => void {
  watchers.add(changed);
  now = Date.now();
  timer ??= setInterval(() => {
    now = Date.now();
    watchers.forEach((one) => one());
  }, TICK_MS);
  return () => {
    watchers.delete(changed);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The time now, in milliseconds; it goes on once a second. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}

/** How long ago a moment is, with the moment itself for who points at it. */
export function Ago({ at }: { readonly at: string | null | undefined }): ReactNode {
  const time = useNow();
  const moment = parseMoment(at);
  if (moment === undefined) return null;
  return <time dateTime={at ?? ""} title={renderMoment(moment)}>{renderDistance(moment, time)}</time>;
}

interface TookProps {
  readonly from: string | null | undefined;
  readonly to: string | null | undefined;
}

/** How long something took, or takes so far. */
export function Took({ from, to }: TookProps): ReactNode {
  const time = useNow();
  const start = parseMoment(from);
  if (start === undefined) return null;
  const end = parseMoment(to);
  if (from && to && end === start && !`${from}${to}`.includes(".")) return <span className="took">under 1 s</span>; // whole seconds say no more
  return <span className="took">{renderDuration((end ?? Math.max(time, start)) - start)}</span>;
}
