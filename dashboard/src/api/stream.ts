// The stream of changes, which comes back by itself. In: who listens. Out: events, and whether it is up.
// Never here: React; a request where nobody listens.
import { address, ApiProblem, open } from "./client";
import { EventParser } from "./events";
import type { StreamEvent } from "./events";

export type StreamState =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "down"; readonly why: string; readonly retryAt: number };

export interface Listener {
  readonly event: (event: StreamEvent) => void;
  readonly state: (state: StreamState) => void;
  readonly refused: (problem: ApiProblem) => void;
}

const SILENCE_MS = 40_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** Who may look at nothing yet may be allowed to soon, or the first run may begin where they may. */
const FORBIDDEN = 403;

/** Listen until the signal is aborted. */
export async function listen(namespace: string | undefined, listener: Listener, signal: AbortSignal): Promise<void> {
  let last: string | undefined;
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      last = await hear(namespace, last, listener, signal, () => (pause = FIRST_PAUSE_MS));
    } catch (problem) {
      if (isStopped(signal)) return;
      if (problem instanceof ApiProblem && [400, 401].includes(problem.code)) {
        listener.refused(problem);
        return;
      }
      if (problem instanceof ApiProblem && problem.code === FORBIDDEN) pause = LONGEST_PAUSE_MS;
      const why = problem instanceof ApiProblem ? problem.message : "The connection to the gateway broke.";
      listener.state({ kind: "down", why, retryAt: Date.now() + pause });
      await resting(pause, signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }
}

/** Whether nobody listens any more; asked anew after each wait. */
const isStopped = (signal: AbortSignal): boolean => signal.aborted;

/** Hear one connection out, and return the id of the last event. */
async function hear(
  namespace: string | undefined, last: string | undefined, listener: Listener, signal: AbortSignal, up: () => void,
): Promise<string | undefined> {
  const connection = new AbortController();
  const stop = (): void => connection.abort();
  signal.addEventListener("abort", stop);
  let silence = setTimeout(stop, SILENCE_MS);
  try {
    const headers = last === undefined ? undefined : { "Last-Event-ID": last };
    const answer = await open(address("/changes", { namespace }), { ...(headers && { headers }), signal: connection.signal });
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (!reader) throw new ApiProblem(0, "The gateway sent no stream.");
    const parser = new EventParser();
    up();
    listener.state({ kind: "live" });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return last;
      clearTimeout(silence);
      silence = setTimeout(stop, SILENCE_MS);
      for (const event of parser.push(value)) {
        last = event.id ?? last;
        listener.event(event);
      }
    }
  } finally {
    clearTimeout(silence);
    signal.removeEventListener("abort", stop);
  }
}

/** Rest, but not longer than until the network is back or the page is looked at again. */
function resting(pause: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      window.removeEventListener("online", wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, pause);
    window.addEventListener("online", wake);
    signal.addEventListener("abort", wake);
  });
}
