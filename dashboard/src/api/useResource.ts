// One thing of the API, kept fresh while it is looked at. What was there before is shown until the newer one comes.
import { useCallback, useEffect, useRef, useState } from "react";
import { useSession } from "../app/session";
import { ApiProblem } from "./client";

export interface Resource<T> {
  readonly data: T | undefined;
  readonly problem: ApiProblem | undefined;
  readonly loading: boolean;
  /** Ask again now; where that is under way, once more after it. */
  readonly reload: () => void;
}

type Load<T> = (signal: AbortSignal) => Promise<T>;

/** Milliseconds, or what tells them of what was found last. */
type Period<T> = number | undefined | ((data: T | undefined) => number | undefined);

interface State<T> {
  readonly key: string;
  readonly data?: T;
  readonly problem?: ApiProblem;
}

/** Where things change all the time, what is shown is asked for a few times in a second, not without a break. */
const REST_MS = 250;
const resting = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, REST_MS));

/**
 * Load what `key` names. Another key is another thing: nothing of the old one is shown. An undefined key loads nothing.
 * `everyMs`: ask again that often while the page is looked at; it may depend on what was found.
 */
export function useResource<T>(key: string | undefined, load: Load<T>, everyMs?: Period<T>): Resource<T> {
  const { unauthorized } = useSession();
  const [state, setState] = useState<State<T>>({ key: "" });
  const newest = useRef(load);
  useEffect(() => {
    newest.current = load;
  });
  const ask = useRef<() => void>(() => undefined);
  const [loading, setLoading] = useState(false);

  useEffect(() => {
    if (key === undefined) return undefined;
    const stop = new AbortController();
    let busy = false;
    let again = false;
    const run = async (): Promise<void> => {
      if (busy) {
        again = true;
        return;
      }
      busy = true;
      setLoading(true);
      do {
        if (again) await resting();
        again = false;
        await newest.current(stop.signal).then(
          (data) => setState({ key, data }),
          (found: unknown) => {
            if (stop.signal.aborted) return;
            const problem = found instanceof ApiProblem ? found : new ApiProblem(-1, String(found));
            if (problem.code === 401) unauthorized();
            setState((before) => (before.key === key ? { ...before, problem } : { key, problem }));
          },
        );
      } while (again && !stop.signal.aborted); // eslint-disable-line @typescript-eslint/no-unnecessary-condition
      busy = false;
      if (!stop.signal.aborted) setLoading(false);
    };
    ask.current = () => void run();
    void run();
    return () => {
      stop.abort();
      ask.current = () => undefined;
    };
  }, [key, unauthorized]);

  const reload = useCallback(() => ask.current(), []);
  const own = state.key === key;
  const period = typeof everyMs === "function" ? everyMs(own ? state.data : undefined) : everyMs;
  useEffect(() => {
    if (period === undefined || key === undefined) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") ask.current();
    }, period);
    return () => clearInterval(timer);
  }, [period, key]);
  return { data: own ? state.data : undefined, problem: own ? state.problem : undefined, loading, reload };
}
