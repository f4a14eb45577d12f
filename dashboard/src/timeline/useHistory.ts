// The whole history of a run, page after page, and what comes to it.
import { get, objectPath } from "../api/client";
import type { HistoryItem, HistoryPage } from "../api/detail";
import { useChanges } from "../api/live";
import { useResource } from "../api/useResource";
import type { Resource } from "../api/useResource";

const PAGE = 500;
const MOST_PAGES = 20;

export interface History {
  readonly items: readonly HistoryItem[];
  readonly dropped: number;
  readonly cut: boolean;
}

export function useHistory(namespace: string, name: string, uid: string): Resource<History> {
  const address = `${objectPath("runs", namespace, name)}/history`;
  const history = useResource<History>(`all ${address} ${uid}`, (signal) => readAll(address, signal));
  useChanges((change) => {
    if (change.kind === "relist" || change.run.name === name) history.reload();
  });
  return history;
}

async function readAll(address: string, signal: AbortSignal): Promise<History> {
  const items: HistoryItem[] = [];
  let cursor: string | undefined;
  let dropped = 0;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const page: HistoryPage = await get(address, { cursor, limit: PAGE }, signal);
    items.push(...page.items);
    dropped = page.dropped;
    if (page.next == null) return { items, dropped, cut: false };
    cursor = page.next;
  }
  return { items, dropped, cut: true };
}
