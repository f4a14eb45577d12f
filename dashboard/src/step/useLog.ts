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
const NOTHING: Log = { lines: [], kind: undefined, ended: false, dropped: 0, problem: undefined };
const KINDS: readonly LogKind[] = ["live", "kept", "cut", "none"];

export function useLog(namespace: string, name: string, task: string): Log {
  const [log, setLog] = useState<Log>(NOTHING);
  useEffect(() => {
    const stop = new AbortController();
    follow(address(`${objectPath("runs", namespace, name)}/logs`, { task, follow: true }), stop.signal, setLog).catch((found: unknown) => {
      if (stop.signal.aborted) return;
      const problem = found instanceof ApiProblem ? found : new ApiProblem(0, "The log broke off.");
      setLog((before) => ({ ...before, ended: true, problem }));
    });
    return () => stop.abort();
  }, [namespace, name, task]);
  return log;
}

async function follow(url: string, signal: AbortSignal, show: (change: (before: Log) => Log) => void): Promise<void> {
  const answer = await open(url, { signal });
  const said = answer.headers.get("X-Reactor-Log");
  const kind = KINDS.find((one) => one === said);
  show((before) => ({ ...before, kind }));
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  let shownAt = 0;
  const flush = (): void => {
    const text = waiting;
    waiting = "";
    shownAt = Date.now();
    if (text) show((before) => withText(before, text));
  };
  for (;;) {
    const part = await reader?.read();
    if (!part || part.done) break;
    waiting += part.value;
    if (Date.now() - shownAt > SHOW_MS) flush();
    else setTimeout(flush, SHOW_MS);
  }
  flush();
  show((before) => ({ ...before, ended: true }));
}

/** Return the log with more text behind it; what is too much of it is dropped from its beginning. */
export function withText(log: Log, text: string): Log {
  const [first = "", ...rest] = text.split("\n");
  const lines = [...log.lines.slice(0, -1), (log.lines.at(-1) ?? "") + first, ...rest];
  const over = Math.max(0, lines.length - MOST_LINES);
  return { ...log, lines: over > 0 ? lines.slice(over) : lines, dropped: log.dropped + over };
}
