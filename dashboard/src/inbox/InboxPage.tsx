// Everything that waits for somebody, the longest wait first, each with the form that answers it.
import { useState } from "react";
import type { ReactNode } from "react";
import { get, objectPath } from "../api/client";
import { useChanges, useStreamState } from "../api/live";
import type { InboxItem, RunGraph } from "../api/types";
import { usePages } from "../api/usePages";
import { useResource } from "../api/useResource";
import { Link, useNavigation } from "../app/navigation";
import { reactorPath, runPath } from "../app/routes";
import { AnswerForm } from "../form/AnswerForm";
import { nodeOf } from "../step/paths";
import { Ago, Took } from "../ui/clock";
import { Empty, ProblemView, Spinner, StaleNote } from "../ui/states";

const PAGE = 50;
const POLL_MS = 5000;

export function InboxPage(): ReactNode {
  const { query } = useNavigation();
  const stream = useStreamState();
  const namespace = query.get("namespace") ?? undefined;
  const reactor = query.get("reactor") ?? undefined;
  const page = usePages<InboxItem>("/inbox", { namespace, reactor, limit: PAGE }, stream.kind === "down" ? POLL_MS : undefined);
  useChanges(page.reload);
  return (
    <main className="page">
      <div className="page-head"><h1>Inbox</h1><p className="hint">Steps that wait for a signal, the longest wait first.</p></div>
      {page.problem && page.loaded && <StaleNote problem={page.problem} onRetry={page.reload} />}
      {!page.loaded && (page.problem ? <ProblemView problem={page.problem} onRetry={page.reload} /> : <Spinner label="Reading the inbox" />)}
      {page.loaded && page.items.length === 0 && <Empty icon="inbox" title="Nothing waits for you"><p>A step of kind <code>interrupt</code> appears here while it waits for its payload.</p></Empty>}
      <ul className="inbox">{page.items.map((item) => <li key={`${item.runUid} ${item.step}`}><InboxCard item={item} onAnswered={page.reload} /></li>)}</ul>
      {page.more && <div className="more"><button type="button" className="button" onClick={page.more}>Show more</button></div>}
    </main>
  );
}

interface CardProps {
  readonly item: InboxItem;
  readonly onAnswered: () => void;
}

function InboxCard({ item, onAnswered }: CardProps): ReactNode {
  const [open, setOpen] = useState(false);
  return (
    <article className="card tone-waiting" aria-label={`${item.step} of ${item.run}`}>
      <header className="inbox-head">
        <div>
          <h2><Link to={`${runPath(item.namespace, item.run)}?step=${encodeURIComponent(item.step)}`}>{item.step}</Link></h2>
          <p className="hint">of run <Link to={runPath(item.namespace, item.run)}>{item.run}</Link> in {item.namespace}, reactor <Link to={reactorPath(item.namespace, item.reactor)}>{item.reactor}</Link></p>
          <p>
            {item.openedAt && <>It has waited for <Took from={item.openedAt} to={undefined} />. </>}
            {item.expiresAt ? <>It expires <Ago at={item.expiresAt} />. </> : "It waits without a limit. "}
            {item.approvers && <b>For approvers alone. </b>}
            {item.attemptsLeft != null && <>{item.attemptsLeft} invalid payloads until it fails. </>}
          </p>
        </div>
        {!open && <button type="button" className="button primary" onClick={() => setOpen(true)} aria-label={`Answer ${item.step} of ${item.run}`}>Answer</button>}
      </header>
      {item.lastRejection && <p className="note bad">The last answer was refused: {item.lastRejection}</p>}
      {open && <Answer item={item} onAnswered={onAnswered} />}
    </article>
  );
}

/** The form; where the inbox does not know the schema, the graph of the run has it. */
function Answer({ item, onAnswered }: CardProps): ReactNode {
  const known = item.payloadSchema != null;
  const path = objectPath("runs", item.namespace, item.run);
  const graph = useResource<RunGraph>(known ? undefined : `schema ${path} ${item.runUid}`, (signal) => get(`${path}/graph`, {}, signal));
  if (!known && graph.loading && !graph.data) return <Spinner label="Reading what it waits for" />;
  const schema = item.payloadSchema ?? nodeOf(graph.data, item.step)?.interrupt?.payloadSchema ?? undefined;
  return <AnswerForm asks={{ namespace: item.namespace, run: item.run, runUid: item.runUid, step: item.step, approvers: item.approvers, schema }} onAnswered={onAnswered} />;
}
