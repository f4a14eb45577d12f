// What became of the elements of a map, by page: a million are no more than fifty.
import { useState } from "react";
import type { ReactNode } from "react";
import { get, objectPath } from "../api/client";
import { useChanges } from "../api/live";
import type { ElementPage } from "../api/detail";
import { useResource } from "../api/useResource";
import { Took } from "../ui/clock";
import { PhaseBadge } from "../ui/PhaseBadge";
import { Empty, ProblemView, Spinner } from "../ui/states";
import { renderCount } from "../words/amounts";
import { isLive, stepLook } from "../words/phases";

interface Props {
  readonly namespace: string;
  readonly name: string;
  readonly path: string;
  readonly onSelect: (path: string) => void;
}

const PAGE = 50;
/** Phases of elements, and where their number is. */
const PHASES = [["Running", "inFlight"], ["Succeeded", "succeeded"], ["Failed", "failed"], ["Skipped", "skipped"], ["Undone", "undone"]] as const;
const POLL_MS = 2000;

export function Elements({ namespace, name, path, onSelect }: Props): ReactNode {
  const [phase, setPhase] = useState("");
  const [cursors, setCursors] = useState<readonly (string | undefined)[]>([undefined]);
  const cursor = cursors.at(-1);
  const address = `${objectPath("runs", namespace, name)}/elements`;
  const page = useResource<ElementPage>(`${address} ${path} ${phase} ${cursor ?? ""}`, (signal) =>
    get(address, { path, phase, cursor, limit: PAGE }, signal), (found) => (found?.items.some((one) => isLive(one.phase)) ? POLL_MS : undefined));
  useChanges((change) => {
    if (change.kind === "relist" || change.run.name === name) page.reload();
  });
  if (!page.data) return page.problem ? <ProblemView problem={page.problem} onRetry={page.reload} /> : <Spinner label="Reading elements" />;
  const { items, total, counts, next } = page.data;
  const choose = (one: string): void => {
    setPhase(one);
    setCursors([undefined]);
  };
  return (
    <div className="elements">
      <div className="chips" role="group" aria-label="Phases of elements">
        <button type="button" className="chip" aria-pressed={phase === ""} onClick={() => choose("")}>All{total == null ? "" : ` ${renderCount(total)}`}</button>
        {PHASES.map(([one, name]) => [one, counts[name]] as const).filter(([, count]) => count > 0).map(([one, count]) => (
          <button key={one} type="button" className={`chip tone-${stepLook(one).tone}`} aria-pressed={phase === one} onClick={() => choose(one)}>{stepLook(one).label} {renderCount(count)}</button>
        ))}
      </div>
      {items.length === 0 ? <Empty icon="map" title="No element is like that" /> : (
        <table>
          <thead><tr><th scope="col">Element</th><th scope="col">Phase</th><th scope="col">Took</th><th scope="col" className="grow">What there is to know</th></tr></thead>
          <tbody>
            {items.map((item) => (
              <tr key={item.index}>
                <td><button type="button" className="link strong" onClick={() => onSelect(`${path}[${item.index}]`)}>{item.index}</button></td>
                <td><PhaseBadge phase={item.phase} of="step" /></td>
                <td>{item.startedAt && <Took from={item.startedAt} to={isLive(item.phase) ? undefined : item.finishedAt} />}</td>
                <td className="grow message">{item.message}{item.waiting > 0 ? " waits for a signal" : ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <div className="pager">
        <button type="button" className="button" disabled={cursors.length < 2} onClick={() => setCursors(cursors.slice(0, -1))}>Before</button>
        <span className="hint">page {cursors.length}</span>
        <button type="button" className="button" disabled={next == null} onClick={() => next != null && setCursors([...cursors, next])}>Next</button>
      </div>
    </div>
  );
}

