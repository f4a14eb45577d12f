// Which run it is, how it is going, and what can be asked of it.
import type { ReactNode } from "react";
import type { RunAnswer } from "../api/types";
import { Link } from "../app/navigation";
import { pathOf, reactorPath } from "../app/routes";
import { Ago, Took } from "../ui/clock";
import { PhaseBadge } from "../ui/PhaseBadge";
import { runLook } from "../words/phases";
import { RunActions } from "./RunActions";
import { Story } from "./Story";

interface Props {
  readonly run: RunAnswer;
  readonly onSelect: (step: string) => void;
  readonly onDone: () => void;
}

export function RunHead({ run, onSelect, onDone }: Props): ReactNode {
  const { metadata, status } = run;
  const phase = status.phase ?? "Pending";
  const reactor = status.reactor?.name ?? reactorName(run);
  return (
    <header className={`run-head tone-${runLook(phase).tone}`}>
      <nav aria-label="Where this is" className="crumbs"><Link to={pathOf({ view: "runs" })}>Runs</Link> / <span>{metadata.namespace}</span></nav>
      <div className="run-title">
        <h1>{metadata.name}</h1>
        <PhaseBadge phase={phase} large />
        <RunActions run={run} onDone={onDone} />
      </div>
      <Story status={status} onSelect={onSelect} />
      <dl className="facts">
        <div><dt>Reactor</dt><dd><Link to={reactorPath(metadata.namespace, reactor)}>{reactor}</Link>{status.reactor && <span className="hint"> generation {status.reactor.generation}</span>}</dd></div>
        <div><dt>Created</dt><dd><Ago at={metadata.createdAt} /></dd></div>
        {status.startedAt && <div><dt>Took</dt><dd><Took from={status.startedAt} to={status.finishedAt} /></dd></div>}
        {status.notifications && status.notifications.dead > 0 && <div><dt>Notifications</dt><dd className="bad">{status.notifications.dead} not delivered</dd></div>}
        {metadata.deleting && <div><dt>Deleted</dt><dd>it is about to go</dd></div>}
      </dl>
    </header>
  );
}

function reactorName(run: RunAnswer): string {
  const found = run.spec["reactorRef"];
  const name = typeof found === "object" && found !== null ? (found as Record<string, unknown>)["name"] : undefined;
  return typeof name === "string" ? name : "";
}
