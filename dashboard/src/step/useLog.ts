// What a task prints, as it comes. Never here: more lines than a page can hold, or a line taken for anything but text.
import { useEffect, useState } from "react";
import { address, ApiProblem, objectPath, open } from "../api/client";

export type LogKind = "live" | "kept" | "cut" | "none";

export interface Log {
  readonly lines: readonly string[];
  readonly kind: LogKind | undefined;
  readonly ended: boolean;
  readonly dropped: number;
  readonly problem: ApiProblem | undefined;
}

const MOST_LINES = 5000;
const SHOW_MS = 150;
/** A live log that ends sooner has ended; a longer one may have been cut off, for the gateway follows for some minutes. */
const SHORT_MS = 3000;
const NOTHING: Log = { lines: [], kind: undefined, ended: false, dropped: 0, problem: undefined };
const KINDS: readonly LogKind[] = ["live", "kept", "cut", "none"];

export function useLog(namespace: string, name: string, task: string): Log {
  const [log, setLog] = useState<Log>(NOTHING);
  useEffect(() => {
    const stop = new AbortController();
    followToTheEnd(address(`${objectPath("runs", namespace, name)}/logs`, { task, follow: true }), stop.signal, setLog).catch((found: unknown) => {
      if (stop.signal.aborted) return;
      const problem = found instanceof ApiProblem ? found : new ApiProblem(0, "The log broke off.");
      setLog((before) => ({ ...before, ended: true, problem }));
    });
    return () => stop.abort();
  }, [namespace, name, task]);
  return log;
}

type Show = (change: (before: Log) => Log) => void;

async function followToTheEnd(url: string, signal: AbortSignal, show: Show): Promise<void> {
  for (let again = false; ; again = true) {
    const began = Date.now();
    const kind = await follow(url, signal, show, again);
    if (kind !== "live" || Date.now() - began < SHORT_MS) break;
  }
  show((before) => ({ ...before, ended: true }));
}

/** Show one log as it comes, in place of what was shown before if it is any, and return what it was. */
async function follow(url: string, signal: AbortSignal, show: Show, again: boolean): Promise<LogKind | undefined> {
  const answer = await open(url, { signal });
  const said = answer.headers.get("X-Reactor-Log");
  const kind = KINDS.find((one) => one === said);
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (again && kind === "none") return kind;
  let [waiting, shownAt, isNew] = ["", 0, true];
  const flush = (): void => {
    const text = waiting;
    waiting = "";
    shownAt = Date.now();
    if (!text) return;
    const over = isNew;
    isNew = false;
    show((before) => withText(over ? { ...NOTHING, kind } : before, text));
  };
  show((before) => ({ ...before, kind }));
  for (;;) {
    const part = await reader?.read();
    if (!part || part.done) break;
    waiting += part.value;
    if (Date.now() - shownAt > SHOW_MS) flush();
    else setTimeout(flush, SHOW_MS);
  }
  flush();
  return kind;
}

/** Return the log with more text behind it; what is too much of it is dropped from its beginning. */
export function withText(log: Log, text: string): Log {
  const [first = "", ...rest] = text.split("\n");
  const lines = [...log.lines.slice(0, -1), (log.lines.at(-1) ?? "") + first, ...rest];
  const over = Math.max(0, lines.length - MOST_LINES);
  return { ...log, lines: over > 0 ? lines.slice(over) : lines, dropped: log.dropped + over };
}
