// The runs that are on the screen, as pages and changes come. In: a list, a change. Out: the list after it. Pure.
// Never here: a run twice, or one that is older than the last page that was asked for.
import type { RemovedRun, RunItem } from "../api/types";
import { matches } from "./filters";
import type { Filters } from "./filters";

export interface Listed {
  readonly runs: readonly RunItem[];
  readonly next: string | undefined;
}

const keyOf = (run: { namespace: string; name: string }): string => `${run.namespace}/${run.name}`;

/** Return whether one run comes before another: newest first, as the API orders them. */
function comesBefore(one: RunItem, other: RunItem): boolean {
  const [first, second] = [Date.parse(one.createdAt), Date.parse(other.createdAt)];
  return first === second ? keyOf(one) > keyOf(other) : first > second;
}

/** Return the list with a further page behind it. */
export function withPage(listed: Listed, runs: readonly RunItem[], next: string | undefined): Listed {
  const known = new Set(listed.runs.map((run) => run.uid));
  return { runs: [...listed.runs, ...runs.filter((run) => !known.has(run.uid))], next };
}

/** Return the list after a run was put: in its place if it is one of those asked for, gone if it is none any more. */
export function withRun(listed: Listed, run: RunItem, filters: Filters): Listed {
  const place = listed.runs.findIndex((one) => keyOf(one) === keyOf(run));
  if (!matches(run, filters)) return place < 0 ? listed : { ...listed, runs: listed.runs.toSpliced(place, 1) };
  if (place >= 0 && listed.runs[place]?.uid === run.uid) return { ...listed, runs: listed.runs.with(place, run) };
  const rest = place < 0 ? listed.runs : listed.runs.toSpliced(place, 1);
  const index = rest.findIndex((one) => comesBefore(run, one));
  if (index < 0 && listed.next !== undefined) return { ...listed, runs: rest }; // it is on a later page
  return { ...listed, runs: rest.toSpliced(index < 0 ? rest.length : index, 0, run) };
}

/** Return the list without a run that is gone. */
export const withoutRun = (listed: Listed, gone: RemovedRun): Listed => ({
  ...listed,
  runs: listed.runs.filter((run) => run.uid !== gone.uid),
});
