// Which runs are listed, as the address says it. In: a query, a run. Out: filters, whether the run is one of them. Pure.
import type { Params } from "../api/client";
import type { RunItem } from "../api/types";
import { RUN_PHASES } from "../words/phases";
import { parseMoment } from "../words/times";

export interface Filters {
  readonly namespace: string | undefined;
  readonly reactor: string | undefined;
  readonly phases: readonly string[];
  readonly text: string | undefined;
  readonly createdAfter: string | undefined;
  readonly createdBefore: string | undefined;
}

/** Return the filters of an address; what makes no sense in it is left away. */
export function parseFilters(query: URLSearchParams): Filters {
  const said = (name: string): string | undefined => query.get(name)?.trim() ?? undefined;
  return {
    namespace: said("namespace"),
    reactor: said("reactor"),
    phases: query.getAll("phase").filter((phase) => RUN_PHASES.includes(phase)),
    text: said("text"),
    createdAfter: moment(said("after")),
    createdBefore: moment(said("before")),
  };
}

/** Return the parameters of the API that ask for these runs. */
export const renderParams = (filters: Filters): Params => ({
  namespace: filters.namespace,
  reactor: filters.reactor,
  phase: filters.phases,
  text: filters.text,
  createdAfter: filters.createdAfter,
  createdBefore: filters.createdBefore,
});

/** Whether anything but the namespace is asked for. */
export const isFiltered = (filters: Filters): boolean =>
  filters.phases.length > 0 ||
  [filters.reactor, filters.text, filters.createdAfter, filters.createdBefore].some((one) => one !== undefined && one !== "");

/** Whether a run that was told is one of those that are listed. */
export function matches(run: RunItem, filters: Filters): boolean {
  const created = parseMoment(run.createdAt) ?? 0;
  const words = filters.text?.toLowerCase();
  return (
    (!filters.namespace || run.namespace === filters.namespace) &&
    (!filters.reactor || run.reactor === filters.reactor) &&
    (filters.phases.length === 0 || filters.phases.includes(run.phase)) &&
    (!words || run.name.toLowerCase().includes(words) || run.message.toLowerCase().includes(words)) &&
    created > (parseMoment(filters.createdAfter) ?? -Infinity) &&
    created < (parseMoment(filters.createdBefore) ?? Infinity)
  );
}

const moment = (text: string | undefined): string | undefined => {
  const found = parseMoment(text);
  return found === undefined ? undefined : new Date(found).toISOString();
};
