// A list that is read page by page, and kept fresh as far as it was read: what somebody is about to answer stays there.
import { useRef } from "react";
import { get } from "./client";
import type { ApiProblem, Params } from "./client";
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
  const key = `${path} ${JSON.stringify(params)}`;
  const read = useRef({ key, pages: 1 });
  const all = useResource<Page<T>>(key, (signal) => readPages(path, params, read.current.key === key ? read.current.pages : 1, signal), everyMs);
  const more = (): void => {
    read.current = { key, pages: read.current.key === key ? read.current.pages + 1 : 2 };
    all.reload();
  };
  return {
    items: all.data?.items ?? [],
    loaded: all.data !== undefined,
    problem: all.problem,
    reload: all.reload,
    more: all.data?.next === undefined ? undefined : more,
  };
}

async function readPages<T>(path: string, params: Params, pages: number, signal: AbortSignal): Promise<Page<T>> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let number = 0; number < pages; number += 1) {
    const page: Page<T> = await get(path, { ...params, cursor }, signal);
    items.push(...page.items);
    if (page.next === undefined) return { items };
    cursor = page.next;
  }
  return cursor === undefined ? { items } : { items, next: cursor };
}
