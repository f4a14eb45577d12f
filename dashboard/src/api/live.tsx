// What becomes of runs, told to every view that wants to know; one stream for the whole page.
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import type { ReactNode } from "react";
import type { ApiProblem } from "./client";
import { listen } from "./stream";
import type { StreamState } from "./stream";
import type { RemovedRun, RunItem } from "./types";

export type Change =
  | { readonly kind: "put"; readonly run: RunItem }
  | { readonly kind: "removed"; readonly run: RemovedRun }
  | { readonly kind: "relist" };

type Hear = (change: Change) => void;

interface Live {
  readonly state: StreamState;
  readonly subscribe: (hear: Hear) => () => void;
}

const LiveContext = createContext<Live | undefined>(undefined);

interface Props {
  readonly namespace: string | undefined;
  readonly onUnauthorized: () => void;
  /** The stream is up, again or at last: what may be done can be another thing by now. */
  readonly onLive: () => void;
  readonly children: ReactNode;
}

export function LiveProvider({ namespace, onUnauthorized, onLive, children }: Props): ReactNode {
  const [state, setState] = useState<StreamState>({ kind: "connecting" });
  const hearers = useRef(new Set<Hear>());
  const tell = useCallback((change: Change) => hearers.current.forEach((hear) => hear(change)), []);

  useEffect(() => {
    const stop = new AbortController();
    let broken = false;
    const listener = {
      state: (next: StreamState): void => {
        setState(next);
        broken ||= next.kind === "down";
        if (next.kind === "live") onLive();
      },
      refused: (problem: ApiProblem): void => {
        if (problem.code === 401) onUnauthorized();
        else setState({ kind: "down", why: problem.message, retryAt: Number.POSITIVE_INFINITY });
      },
      event: ({ name, data }: { name: string; data: string }): void => {
        if (name === "put") tell({ kind: "put", run: JSON.parse(data) as RunItem });
        else if (name === "removed") tell({ kind: "removed", run: JSON.parse(data) as RemovedRun });
        else if (name === "reset" || (name === "ready" && broken)) tell({ kind: "relist" });
        if (name === "ready") broken = false;
      },
    };
    void listen(namespace, listener, stop.signal);
    return () => stop.abort();
  }, [namespace, onUnauthorized, onLive, tell]);

  const subscribe = useCallback((hear: Hear) => {
    hearers.current.add(hear);
    return () => {
      hearers.current.delete(hear);
    };
  }, []);
  const live = useMemo(() => ({ state, subscribe }), [state, subscribe]);
  return <LiveContext value={live}>{children}</LiveContext>;
}

function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error("useLive: found no LiveProvider above, expected one in App");
  return live;
}

/** Whether the stream is up. */
export const useStreamState = (): StreamState => useLive().state;

/** Hear every change for as long as the component is there. */
export function useChanges(hear: Hear): void {
  const { subscribe } = useLive();
  const newest = useRef(hear);
  useEffect(() => {
    newest.current = hear;
  });
  useEffect(() => subscribe((change) => newest.current(change)), [subscribe]);
}
