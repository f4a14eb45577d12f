// Who looks, and whether they have to say so first. Behind a proxy that sets Authorization nobody is asked anything.
import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import { ApiProblem, get, token } from "../api/client";
import { Login } from "./Login";
import { Spinner } from "../ui/states";
import { ProblemView } from "../ui/states";

export interface Session {
  readonly user: string;
  readonly laptop: boolean;
  readonly version: string;
  readonly namespaces: readonly string[] | null;
  readonly may: { readonly act: boolean; readonly approve: boolean };
}

interface Held {
  readonly session: Session;
  /** The token is not known any more: ask for another one. */
  readonly unauthorized: () => void;
  /** Ask again what may be done; what was known stays where there is no answer. */
  readonly again: () => void;
  readonly leave: (() => void) | undefined;
}

const SessionContext = createContext<Held | undefined>(undefined);

type State = { kind: "asking" } | { kind: "in"; session: Session } | { kind: "out"; why?: string } | { kind: "problem"; problem: ApiProblem };

export function SessionProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const [state, setState] = useState<State>({ kind: "asking" });

  const ask = useCallback(() => {
    get<Session>("/session").then(
      (session) => setState({ kind: "in", session }),
      (problem: unknown) => {
        const known = problem instanceof ApiProblem ? problem : new ApiProblem(-1, String(problem));
        if (known.code !== 401) setState({ kind: "problem", problem: known });
        else setState(token.get() === null ? { kind: "out" } : { kind: "out", why: known.message });
        if (known.code === 401) token.clear();
      },
    );
  }, []);
  useEffect(ask, [ask]);

  const again = useCallback(() => {
    get<Session>("/session").then(
      (session) => setState((before) => (before.kind === "in" && !isSame(before.session, session) ? { kind: "in", session } : before)),
      () => undefined, // the stream and the views say what is wrong
    );
  }, []);

  const unauthorized = useCallback(() => {
    token.clear();
    setState({ kind: "out", why: "Your token is no longer known. Sign in again." });
  }, []);
  const leave = useCallback(() => {
    token.clear();
    setState({ kind: "out" });
  }, []);
  const session = state.kind === "in" ? state.session : undefined;
  const held = useMemo(
    () => session && { session, unauthorized, again, leave: token.get() === null ? undefined : leave },
    [session, unauthorized, again, leave],
  );

  if (held) return <SessionContext value={held}>{children}</SessionContext>;
  if (state.kind === "out") {
    const enter = (text: string): void => {
      token.set(text);
      ask();
    };
    return <Login why={state.why} onToken={enter} />;
  }
  return <main className="alone">{state.kind === "problem" ? <ProblemView problem={state.problem} onRetry={ask} /> : <Spinner label="Asking the gateway who you are" />}</main>;
}

const isSame = (one: Session, other: Session): boolean => JSON.stringify(one) === JSON.stringify(other);

export function useSession(): Held {
  const held = useContext(SessionContext);
  if (!held) throw new Error("useSession: found no SessionProvider above, expected one in main");
  return held;
}
