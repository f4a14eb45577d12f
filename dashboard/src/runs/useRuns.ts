// The list of runs: its first page, further ones when asked for, and what changes meanwhile.
import { useCallback, useState } from "react";
import { ApiProblem, get } from "../api/client";
import { useChanges } from "../api/live";
import type { RunPage } from "../api/types";
import { useResource } from "../api/useResource";
import { renderParams } from "./filters";
import type { Filters } from "./filters";
import { withoutRun, withPage, withRun } from "./list";
import type { Listed } from "./list";

const PAGE = 50;
const NONE: Listed = { runs: [], next: undefined };

export interface Runs extends Listed {
  readonly loaded: boolean;
  readonly loadingMore: boolean;
  readonly problem: ApiProblem | undefined;
  readonly reload: () => void;
  readonly more: () => void;
}

export function useRuns(filters: Filters, everyMs: number | undefined): Runs {
  const key = JSON.stringify(filters);
  const first = useResource<RunPage>(
    key,
    (signal) => get("/runs", { ...renderParams(filters), limit: PAGE }, signal),
    everyMs,
  );
  const [listed, setListed] = useState<Listed>(NONE);
  const [moreProblem, setMoreProblem] = useState<ApiProblem>();
  const [loadingMore, setLoadingMore] = useState(false);
  const [page, setPage] = useState<RunPage>();
  if (page !== first.data) {
    setPage(first.data);
    setListed(first.data ? { runs: first.data.items, next: first.data.next } : NONE);
    setMoreProblem(undefined);
  }

  useChanges((change) => {
    if (change.kind === "relist") first.reload();
    else if (change.kind === "put") setListed((before) => withRun(before, change.run, filters));
    else setListed((before) => withoutRun(before, change.run));
  });

  const cursor = listed.next;
  const more = useCallback(() => {
    if (cursor === undefined) return;
    setLoadingMore(true);
    get<RunPage>("/runs", { ...renderParams(filters), limit: PAGE, cursor })
      .then(
        (page) => setListed((before) => (before.next === cursor ? withPage(before, page.items, page.next ?? undefined) : before)),
        (problem: unknown) => setMoreProblem(problem instanceof ApiProblem ? problem : new ApiProblem(-1, String(problem))),
      )
      .finally(() => setLoadingMore(false));
  }, [cursor, filters]);

  return { ...listed, loaded: first.data !== undefined, loadingMore, problem: first.problem ?? moreProblem, reload: first.reload, more };
}
