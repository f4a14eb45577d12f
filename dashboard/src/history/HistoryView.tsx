// Every transition of a run, oldest first: what became what, when, and because of what.
import { useState } from "react";
import type { ReactNode } from "react";
import { get, objectPath } from "../api/client";
import { useChanges } from "../api/live";
import type { HistoryItem, HistoryPage } from "../api/detail";
import type { RunAnswer } from "../api/types";
import { useResource } from "../api/useResource";
import { Empty, ProblemView, Spinner } from "../ui/states";
import { counted } from "../words/amounts";
import { runLook, stepLook } from "../words/phases";
import { parseMoment, renderDuration, renderMoment } from "../words/times";

interface Props {
  readonly run: RunAnswer;
  readonly onSelect: (path: string) => void;
}

const PAGE = 100;

export function HistoryView({ run, onSelect }: Props): ReactNode {
  const { namespace, name, uid } = run.metadata;
  const [cursors, setCursors] = useState<readonly (string | undefined)[]>([undefined]);
  const cursor = cursors.at(-1);
  const address = `${objectPath("runs", namespace, name)}/history`;
  const page = useResource<HistoryPage>(`${address} ${uid} ${cursor ?? ""}`, (signal) => get(address, { cursor, limit: PAGE }, signal));
  useChanges((change) => {
    if (change.kind === "relist" || change.run.name === name) page.reload();
  });
  if (!page.data) return page.problem ? <ProblemView problem={page.problem} onRetry={page.reload} /> : <Spinner label="Reading the history" />;
  const { items, next, dropped } = page.data;
  if (items.length === 0) return <Empty icon="history" title="Nothing has happened yet" />;
  const began = parseMoment(run.status.startedAt ?? items[0]?.at);
  return (
    <div className="history">
      {dropped > 0 && <p className="note">The oldest {counted(dropped, "transition is", "transitions are")} no longer kept.</p>}
      <ol>{items.map((item) => <Entry key={item.number} item={item} began={began} onSelect={onSelect} />)}</ol>
      {(next != null || cursors.length > 1) && (
        <div className="pager">
          <button type="button" className="button" disabled={cursors.length < 2} onClick={() => setCursors(cursors.slice(0, -1))}>Before</button>
          <span className="hint">page {cursors.length}</span>
          <button type="button" className="button" disabled={next == null} onClick={() => next != null && setCursors([...cursors, next])}>Next</button>
        </div>
      )}
    </div>
  );
}

interface EntryProps {
  readonly item: HistoryItem;
  readonly began: number | undefined;
  readonly onSelect: (path: string) => void;
}

function Entry({ item, began, onSelect }: EntryProps): ReactNode {
  const at = parseMoment(item.at);
  const look = item.path === "" ? runLook(item.to) : stepLook(item.to);
  return (
    <li className={`tone-${look.tone}`}>
      <time dateTime={item.at} title={at === undefined ? "" : renderMoment(at, true)}>{at !== undefined && began !== undefined ? `+${renderDuration(at - began)}` : ""}</time>
      <span className="history-what">
        {item.path === "" ? <b>The run</b> : <button type="button" className="link strong" onClick={() => onSelect(item.path)}>{item.path}</button>}{" "}
        {item.from && <span className="hint">{item.from} → </span>}<span className="history-to">{item.to}</span>
        {item.attempt > 1 && <span className="hint"> attempt {item.attempt}</span>}
        {item.round > 1 && <span className="hint"> round {item.round}</span>}
      </span>
      <span className="history-why hint">{causeWords(item.cause.type)}{item.cause.by ? ` by ${item.cause.by}` : ""}{item.cause.text ? `: ${item.cause.text}` : ""}</span>
    </li>
  );
}

/** Return the name of an event as words: `TaskSucceeded` is `task succeeded`. */
const causeWords = (type: string): string => type.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
