// One run: what happened in a sentence, what waits, the steps as a graph or in other ways, and one step in full beside them.
import { useCallback, useEffect } from "react";
import type { ReactNode } from "react";
import { get, objectPath } from "../api/client";
import { useChanges, useStreamState } from "../api/live";
import type { RunAnswer, RunGraph } from "../api/types";
import { useResource } from "../api/useResource";
import { useNavigation } from "../app/navigation";
import { RUN_VIEWS } from "../app/routes";
import type { RunView } from "../app/routes";
import { GraphView } from "../graph/GraphView";
import { prepareLayout } from "../graph/layout";
import { HistoryView } from "../history/HistoryView";
import { Inspector } from "../step/Inspector";
import { TimelineView } from "../timeline/TimelineView";
import { Empty, ProblemView, Spinner, StaleNote } from "../ui/states";
import { Tabs, TabPanel } from "../ui/Tabs";
import type { Tab } from "../ui/Tabs";
import { isOver } from "../words/phases";
import { DataView } from "./DataView";
import { PhaseBar } from "./PhaseBar";
import { RunHead } from "./RunHead";
import { StepsView } from "./StepsView";
import { Waiting } from "./Waiting";

const POLL_MS = 2000;
const SLOW_POLL_MS = 30_000;
const TABS: readonly Tab<RunView>[] = [
  { id: "graph", label: "Graph", icon: "graph" },
  { id: "steps", label: "Steps", icon: "list" },
  { id: "timeline", label: "Timeline", icon: "clock" },
  { id: "history", label: "History", icon: "history" },
  { id: "data", label: "Inputs and result", icon: "data" },
];

interface Props {
  readonly namespace: string;
  readonly name: string;
}

export function RunPage({ namespace, name }: Props): ReactNode {
  const { query, setQuery } = useNavigation();
  const stream = useStreamState();
  const path = objectPath("runs", namespace, name);
  const run = useRun(path, namespace, name, stream.kind === "live");
  const graph = useResource<RunGraph>(graphKey(path, run.data), (signal) => get(`${path}/graph`, {}, signal));
  const selected = query.get("step") ?? undefined;
  const view = RUN_VIEWS.find((one) => one === query.get("view")) ?? "graph";
  const select = useCallback((step: string | undefined) => setQuery({ step }, { replace: true }), [setQuery]);

  useEffect(prepareLayout, []);

  if (!run.data) {
    return <main className="page">{run.problem ? <ProblemView problem={run.problem} onRetry={run.reload} /> : <Spinner label="Reading the run" />}</main>;
  }
  return (
    <main className="page run">
      <RunHead run={run.data} onSelect={select} onDone={run.reload} />
      {run.problem && <StaleNote problem={run.problem} onRetry={run.reload} />}
      <Waiting run={run.data} onSelect={select} />
      <PhaseBar status={run.data.status} nodes={graph.data?.nodes.length} />
      <Tabs name="run" label="Ways to look at the run" tabs={TABS} chosen={view} onChoose={(id) => setQuery({ view: id === "graph" ? undefined : id }, { replace: true })} />
      <div className={selected === undefined ? "split" : "split with-step"}>
        <TabPanel name="run" chosen={view}>
          {view === "graph" && <GraphPart graph={graph} run={run.data} selected={selected} onSelect={select} />}
          {view === "steps" && <StepsView graph={graph.data} status={run.data.status} selected={selected} onSelect={select} />}
          {view === "timeline" && <TimelineView run={run.data} selected={selected} onSelect={select} />}
          {view === "history" && <HistoryView run={run.data} onSelect={select} />}
          {view === "data" && <DataView run={run.data} />}
        </TabPanel>
        {selected !== undefined && <Inspector key={selected} run={run.data} graph={graph.data} path={selected} onSelect={select} />}
      </div>
    </main>
  );
}

/** The run, asked for again as soon as it changed; and, for what no list shows, every few seconds while it goes on. */
function useRun(path: string, namespace: string, name: string, live: boolean) {
  const period = (found: RunAnswer | undefined): number =>
    live && isOver(found?.status.phase ?? "") ? SLOW_POLL_MS : POLL_MS;
  const run = useResource<RunAnswer>(path, (signal) => get(path, {}, signal), period);
  useChanges((change) => {
    if (change.kind === "relist" || (change.run.namespace === namespace && change.run.name === name)) run.reload();
  });
  return run;
}

/** The graph is the same for as long as the run keeps to the same definition. */
const graphKey = (path: string, run: RunAnswer | undefined): string | undefined =>
  run && `${path} ${run.metadata.uid} ${run.status.reactor?.digest ?? "not pinned"}`;

interface GraphPartProps {
  readonly graph: ReturnType<typeof useResource<RunGraph>>;
  readonly run: RunAnswer;
  readonly selected: string | undefined;
  readonly onSelect: (path: string | undefined) => void;
}

function GraphPart({ graph, run, selected, onSelect }: GraphPartProps): ReactNode {
  const nodes = graph.data?.nodes;
  if (!graph.data || !nodes) {
    return graph.problem ? <ProblemView problem={graph.problem} onRetry={graph.reload} /> : <Spinner label="Reading the graph" />;
  }
  if (nodes.length === 0) return <Empty icon="graph" title="The Reactor of this run is not there, or not sound" />;
  return (
    <>
      {!graph.data.pinned && <p className="note">This is its Reactor as it is now: the run has not started, or nothing of it is stored any more.</p>}
      <GraphView graph={graph.data} status={run.status} selected={selected} onSelect={onSelect} />
    </>
  );
}
