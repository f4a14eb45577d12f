// A list that is read page by page: the first page is kept fresh, further ones are there until it changes.
import { useRef, useState } from "react";
import { ApiProblem, get } from "./client";
import type { Params } from "./client";
import { useResource } from "./useResource";

interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

export interface Pages<T> {
  readonly items: readonly T[];
  readonly loaded: boolean;
  readonly problem: ApiProblem | undefined;
  readonly reload: () => void;
  /** Undefined: there are no more. */
  readonly more: (() => void) | undefined;
}

export function usePages<T>(path: string, params: Params, everyMs: number | undefined): Pages<T> {
  const first = useResource<Page<T>>(`${path} ${JSON.stringify(params)}`, (signal) => get(path, params, signal), everyMs);
  const [shown, setShown] = useState(first.data);
  const [further, setFurther] = useState<Page<T>>();
  const [problem, setProblem] = useState<ApiProblem>();
  if (shown !== first.data) {
    setShown(first.data);
    setFurther(undefined);
    setProblem(undefined);
  }
  const next = further ? further.next : first.data?.next;
  const asking = useRef(false);
  const more = (): void => {
    if (asking.current) return; // a page that is asked for twice would be shown twice
    asking.current = true;
    get<Page<T>>(path, { ...params, cursor: next }).then(
      (page) => setFurther((before) => ({ ...page, items: [...(before?.items ?? []), ...page.items] })),
      (found: unknown) => setProblem(found instanceof ApiProblem ? found : new ApiProblem(-1, String(found))),
    ).finally(() => {
      asking.current = false;
    });
  };
  return {
    items: [...(first.data?.items ?? []), ...(further?.items ?? [])],
    loaded: first.data !== undefined,
    problem: first.problem ?? problem,
    reload: first.reload,
    more: next === undefined ? undefined : more,
  };
}
