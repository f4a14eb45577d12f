// All definitions, and whether each is sound.
import { useEffect, useState } from "react";
import type { ReactNode } from "react";
import { ApiProblem, get } from "../api/client";
import type { ReactorItem, ReactorPage as Page } from "../api/types";
import { useResource } from "../api/useResource";
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
  const page = useResource<Page>(`reactors ${namespace ?? ""}`, (signal) => get("/reactors", { namespace, limit: PAGE }, signal), POLL_MS);
  const [further, setFurther] = useState<{ readonly items: readonly ReactorItem[]; readonly next: string | undefined }>();
  const [problem, setProblem] = useState<ApiProblem>();
  useEffect(() => setFurther(undefined), [page.data]);
  const items = [...(page.data?.items ?? []), ...(further?.items ?? [])];
  const next = further ? further.next : (page.data?.next ?? undefined);
  const more = (): void => {
    get<Page>("/reactors", { namespace, limit: PAGE, cursor: next }).then(
      (found) => setFurther((before) => ({ items: [...(before?.items ?? []), ...found.items], next: found.next ?? undefined })),
      (found: unknown) => setProblem(found instanceof ApiProblem ? found : new ApiProblem(-1, String(found))),
    );
  };
  return (
    <main className="page">
      <div className="page-head"><h1>Definitions</h1><p className="hint">Reactors: which steps there are, and how each is taken back.</p></div>
      {(page.problem ?? problem) && page.data && <StaleNote problem={page.problem ?? problem ?? new ApiProblem(-1, "")} onRetry={page.reload} />}
      {!page.data && (page.problem ? <ProblemView problem={page.problem} onRetry={page.reload} /> : <Spinner label="Listing reactors" />)}
      {page.data && items.length === 0 && <Empty icon="reactor" title="There are no reactors yet"><p><code>kubectl apply</code> one, or <code>reactor apply</code>, which checks it first.</p></Empty>}
      {items.length > 0 && (
        <table className="reactors">
          <thead><tr><th scope="col">Reactor</th><th scope="col">Sound</th><th scope="col">Steps</th><th scope="col" className="grow">What it does</th><th scope="col">Created</th><th scope="col"><span className="unseen">Runs</span></th></tr></thead>
          <tbody>{items.map((item) => <ReactorRow key={item.uid} item={item} />)}</tbody>
        </table>
      )}
      {next !== undefined && <div className="more"><button type="button" className="button" onClick={more}>Show more</button></div>}
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
