// All definitions, and whether each is sound.
import type { ReactNode } from "react";
import type { ReactorItem } from "../api/types";
import { usePages } from "../api/usePages";
import { Link, useNavigation } from "../app/navigation";
import { pathOf, reactorPath } from "../app/routes";
import { Ago } from "../ui/clock";
import { Icon } from "../ui/Icon";
import { Empty, ProblemView, Spinner, StaleNote } from "../ui/states";

const PAGE = 100;
const POLL_MS = 30_000;

export function ReactorsPage(): ReactNode {
  const { query } = useNavigation();
  const namespace = query.get("namespace") ?? undefined;
  const page = usePages<ReactorItem>("/reactors", { namespace, limit: PAGE }, POLL_MS);
  return (
    <main className="page">
      <div className="page-head"><h1>Definitions</h1><p className="hint">Reactors: which steps there are, and how each is taken back.</p></div>
      {page.problem && page.loaded && <StaleNote problem={page.problem} onRetry={page.reload} />}
      {!page.loaded && (page.problem ? <ProblemView problem={page.problem} onRetry={page.reload} /> : <Spinner label="Listing reactors" />)}
      {page.loaded && page.items.length === 0 && <Empty icon="reactor" title="There are no reactors yet"><p><code>kubectl apply</code> one, or <code>reactor apply</code>, which checks it first.</p></Empty>}
      {page.items.length > 0 && (
        <table className="reactors">
          <thead><tr><th scope="col">Reactor</th><th scope="col">Sound</th><th scope="col">Steps</th><th scope="col" className="grow">What it does</th><th scope="col">Created</th><th scope="col"><span className="unseen">Runs</span></th></tr></thead>
          <tbody>{page.items.map((item) => <ReactorRow key={item.uid} item={item} />)}</tbody>
        </table>
      )}
      {page.more && <div className="more"><button type="button" className="button" onClick={page.more}>Show more</button></div>}
    </main>
  );
}

function ReactorRow({ item }: { readonly item: ReactorItem }): ReactNode {
  return (
    <tr>
      <td className="run-name"><Link to={reactorPath(item.namespace, item.name)}>{item.name}</Link><span className="hint">{item.namespace}</span></td>
      <td data-label="Sound"><Soundness ready={item.ready ?? undefined} /></td>
      <td data-label="Steps" className="number">{item.steps}</td>
      <td className="grow message">{item.description}</td>
      <td data-label="Created"><Ago at={item.createdAt} /></td>
      <td><Link to={`${pathOf({ view: "runs" })}?namespace=${encodeURIComponent(item.namespace)}&reactor=${encodeURIComponent(item.name)}`}>Its runs</Link></td>
    </tr>
  );
}

export function Soundness({ ready }: { readonly ready: ReactorItem["ready"] | undefined }): ReactNode {
  if (!ready) return <span className="badge tone-neutral"><Icon name="pending" />Not judged yet</span>;
  if (ready.status === "True") return <span className="badge tone-good"><Icon name="good" />Sound</span>;
  return <span className="badge tone-bad"><Icon name="bad" />{ready.reason}</span>;
}
