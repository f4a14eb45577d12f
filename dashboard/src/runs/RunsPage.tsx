// All runs, newest first: what each is, how far it has come, what there is to know about it.
import { memo, useMemo } from "react";
import type { ReactNode } from "react";
import { useStreamState } from "../api/live";
import type { RunItem } from "../api/types";
import { Link, useNavigation } from "../app/navigation";
import { runPath } from "../app/routes";
import { Ago, Took } from "../ui/clock";
import { Icon } from "../ui/Icon";
import { PhaseBadge } from "../ui/PhaseBadge";
import { Empty, ProblemView, Spinner, StaleNote } from "../ui/states";
import { counted } from "../words/amounts";
import { isOver, runLook } from "../words/phases";
import { isFiltered, parseFilters } from "./filters";
import { RunFilters } from "./RunFilters";
import { useRuns } from "./useRuns";
import type { Runs } from "./useRuns";

const POLL_MS = 5000;

export function RunsPage(): ReactNode {
  const { query } = useNavigation();
  const asked = query.toString();
  const filters = useMemo(() => parseFilters(new URLSearchParams(asked)), [asked]);
  const stream = useStreamState();
  const runs = useRuns(filters, stream.kind === "down" ? POLL_MS : undefined);
  return (
    <main className="page">
      <div className="page-head"><h1>Runs</h1></div>
      <RunFilters filters={filters} />
      {runs.problem && runs.loaded && <StaleNote problem={runs.problem} onRetry={runs.reload} />}
      <RunList runs={runs} filtered={isFiltered(filters)} />
    </main>
  );
}

function RunList({ runs, filtered }: { readonly runs: Runs; readonly filtered: boolean }): ReactNode {
  if (!runs.loaded) return runs.problem ? <ProblemView problem={runs.problem} onRetry={runs.reload} /> : <Spinner label="Listing runs" />;
  if (runs.runs.length === 0) {
    return filtered ? (
      <Empty icon="search" title="No run is like that"><p>Take a filter away to see more.</p></Empty>
    ) : (
      <Empty icon="reactor" title="There are no runs yet">
        <p>A run is one execution of a reactor. Start one with <code>reactor start NAME</code>, or <code>kubectl apply</code> a ReactorRun.</p>
      </Empty>
    );
  }
  return (
    <>
      <table className="runs">
        <thead><tr><th scope="col">Run</th><th scope="col">Phase</th><th scope="col">Steps</th><th scope="col" className="grow">What happened</th><th scope="col">Started</th><th scope="col">Took</th></tr></thead>
        <tbody>{runs.runs.map((run) => <RunRow key={run.uid} run={run} />)}</tbody>
      </table>
      <div className="more">
        <span className="hint" role="status">{counted(runs.runs.length, "run")}{runs.next === undefined ? "" : " shown"}</span>
        {runs.next !== undefined && <button type="button" className="button" disabled={runs.loadingMore} onClick={runs.more}>{runs.loadingMore ? "Listing more …" : "Show more"}</button>}
      </div>
    </>
  );
}

const RunRow = memo(function RunRow({ run }: { readonly run: RunItem }): ReactNode {
  const { setQuery } = useNavigation();
  return (
    <tr className={`tone-${runLook(run.phase).tone}`}>
      <td className="run-name">
        <Link to={runPath(run.namespace, run.name)}>{run.name}</Link>
        <span className="hint">{run.namespace} · <button type="button" className="link quiet" onClick={() => setQuery({ reactor: run.reactor })} title={`Show runs of ${run.reactor} alone`}>{run.reactor}</button></span>
      </td>
      <td data-label="Phase"><PhaseBadge phase={run.phase} />{run.waiting > 0 && <span className="waits" title={`${counted(run.waiting, "step")} waiting for a signal`}><Icon name="waiting" />{run.waiting}</span>}</td>
      <td data-label="Steps"><Progress text={run.progress} /></td>
      <td className="grow message" data-label="What happened">{run.message}</td>
      <td data-label="Started"><Ago at={run.startedAt ?? run.createdAt} /></td>
      <td data-label="Took">{run.startedAt && (run.finishedAt ?? !isOver(run.phase)) ? <Took from={run.startedAt} to={run.finishedAt} /> : null}</td>
    </tr>
  );
});

function Progress({ text }: { readonly text: string }): ReactNode {
  const [done, all] = text.split("/").map(Number);
  if (done === undefined || !all) return <span className="hint">{text}</span>;
  return <span className="progress"><meter min={0} max={all} value={done} aria-label={`${done} of ${all} steps`} /><span>{text}</span></span>;
}
