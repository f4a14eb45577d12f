// One definition: as a graph, and as the YAML that somebody wrote, with every problem where it is.
import { useMemo } from "react";
import type { ReactNode } from "react";
import { get, objectPath } from "../api/client";
import type { ReactorAnswer } from "../api/types";
import { useResource } from "../api/useResource";
import { Link, useNavigation } from "../app/navigation";
import { pathOf } from "../app/routes";
import { GraphView } from "../graph/GraphView";
import { Ago } from "../ui/clock";
import { Icon } from "../ui/Icon";
import { Empty, ProblemView, Spinner, StaleNote } from "../ui/states";
import { Tabs, TabPanel } from "../ui/Tabs";
import { counted } from "../words/amounts";
import { NodeFacts } from "./NodeFacts";
import { parseProblem } from "./problems";
import { Soundness } from "./ReactorsPage";
import { YamlView } from "./YamlView";

const POLL_MS = 15_000;
const TABS = [{ id: "graph", label: "Graph", icon: "graph" }, { id: "yaml", label: "YAML", icon: "list" }] as const;

interface Props {
  readonly namespace: string;
  readonly name: string;
}

export function ReactorPage({ namespace, name }: Props): ReactNode {
  const { query, setQuery } = useNavigation();
  const path = objectPath("reactors", namespace, name);
  const reactor = useResource<ReactorAnswer>(path, (signal) => get(path, {}, signal), POLL_MS);
  const problems = useMemo(() => problemsOf(reactor.data).map(parseProblem), [reactor.data]);
  if (!reactor.data) return <main className="page">{reactor.problem ? <ProblemView problem={reactor.problem} onRetry={reactor.reload} /> : <Spinner label="Reading the reactor" />}</main>;
  const { metadata, spec, ready, graph } = reactor.data;
  const view = query.get("view") === "yaml" || (problems.length > 0 && query.get("view") === null) ? "yaml" : "graph";
  const selected = query.get("step") ?? undefined;
  const description = spec["description"];
  return (
    <main className="page run">
      <header className="run-head">
        <nav aria-label="Where this is" className="crumbs"><Link to={pathOf({ view: "reactors" })}>Definitions</Link> / <span>{namespace}</span></nav>
        <div className="run-title"><h1>{name}</h1><Soundness ready={ready ?? undefined} /></div>
        {typeof description === "string" && <p className="story">{description}</p>}
        <dl className="facts">
          <div><dt>Generation</dt><dd>{metadata.generation}</dd></div>
          <div><dt>Created</dt><dd><Ago at={metadata.createdAt} /></dd></div>
          <div><dt>Runs</dt><dd><Link to={`${pathOf({ view: "runs" })}?namespace=${encodeURIComponent(namespace)}&reactor=${encodeURIComponent(name)}`}>Show its runs</Link></dd></div>
        </dl>
      </header>
      {reactor.problem && <StaleNote problem={reactor.problem} onRetry={reactor.reload} />}
      {problems.length > 0 && (
        <section className="card problems" aria-labelledby="problems-title">
          <h2 id="problems-title"><Icon name="warn" /> {counted(problems.length, "problem")}</h2>
          <ul>{problems.map((problem) => <li key={problem.line}>{problem.path && <code>{problem.path}</code>} {problem.words}</li>)}</ul>
        </section>
      )}
      <Tabs name="reactor" label="Ways to look at the reactor" tabs={TABS} chosen={view} onChoose={(id) => setQuery({ view: id }, { replace: true })} />
      <div className={selected === undefined || view === "yaml" ? "split" : "split with-step"}>
        <TabPanel name="reactor" chosen={view}>
          {view === "yaml" && <YamlView namespace={namespace} name={name} spec={spec} problems={problems} />}
          {view === "graph" && (graph ? <GraphView graph={graph} status={undefined} selected={selected} onSelect={(step) => setQuery({ step }, { replace: true })} /> : <Empty icon="graph" title="There is no graph while it has problems" />)}
        </TabPanel>
        {selected !== undefined && view === "graph" && graph && <NodeFacts graph={graph} path={selected} onClose={() => setQuery({ step: undefined }, { replace: true })} />}
      </div>
    </main>
  );
}

/** Return what is wrong: as it is now, or as the operator last judged it. */
function problemsOf(reactor: ReactorAnswer | undefined): readonly string[] {
  if (!reactor) return [];
  if (reactor.problems.length > 0) return reactor.problems;
  return reactor.ready?.status === "False" ? reactor.ready.message.split("\n").filter(Boolean) : [];
}
