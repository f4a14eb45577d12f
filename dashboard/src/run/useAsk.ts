// One request to a run at a time: that it is under way, and what was answered.
import { useCallback, useState } from "react";
import { ApiProblem } from "../api/client";
import { askRun } from "../api/requests";
import type { Answered, Asked } from "../api/requests";
import { useSession } from "../app/session";

export interface Asking {
  readonly busy: boolean;
  readonly answered: Answered | undefined;
  readonly problem: ApiProblem | undefined;
  readonly ask: (asked: Asked) => Promise<boolean>;
  readonly forget: () => void;
}

/** `ask` gives whether the run accepted it. */
export function useAsk(namespace: string, name: string): Asking {
  const { unauthorized } = useSession();
  const [busy, setBusy] = useState(false);
  const [answered, setAnswered] = useState<Answered>();
  const [problem, setProblem] = useState<ApiProblem>();
  const forget = useCallback(() => {
    setAnswered(undefined);
    setProblem(undefined);
  }, []);
  const ask = useCallback(async (asked: Asked) => {
    setBusy(true);
    forget();
    try {
      const found = await askRun(namespace, name, asked);
      setAnswered(found);
      return found.kind === "accepted";
    } catch (found) {
      const known = found instanceof ApiProblem ? found : new ApiProblem(-1, String(found));
      if (known.code === 401) unauthorized();
      setProblem(known);
      return false;
    } finally {
      setBusy(false);
    }
  }, [namespace, name, unauthorized, forget]);
  return { busy, answered, problem, ask, forget };
}
