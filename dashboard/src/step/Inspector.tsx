// One step in full, beside the graph: what it was given, what came of it, who did it, what they printed.
import { useEffect, useMemo, useRef, useState } from "react";
import type { ReactNode } from "react";
import { get, objectPath } from "../api/client";
import { useChanges } from "../api/live";
import type { StepDetail } from "../api/detail";
import type { RunAnswer, RunGraph, StepStatus } from "../api/types";
import { useResource } from "../api/useResource";
import { Took } from "../ui/clock";
import { Icon } from "../ui/Icon";
import { PhaseBadge } from "../ui/PhaseBadge";
import { ProblemView, Spinner, StaleNote } from "../ui/states";
import { Tabs, TabPanel } from "../ui/Tabs";
import type { Tab } from "../ui/Tabs";
import { ordinal } from "../words/amounts";
import { isLive, isReversed } from "../words/phases";
import { Attempts } from "./Attempts";
import { Elements } from "./Elements";
import { FailureView } from "./FailureView";
import { Logs } from "./Logs";
import { nodeOf } from "./paths";
import { StepActions } from "./StepActions";
import { StepAnswer } from "./StepAnswer";
import { ValueBrowser } from "./ValueBrowser";

type Part = "summary" | "arguments" | "result" | "attempts" | "logs" | "elements";

interface Props {
  readonly run: RunAnswer;
  readonly graph: RunGraph | undefined;
  readonly path: string;
  readonly onSelect: (path: string | undefined) => void;
}

const POLL_MS = 2000;

export function Inspector({ run, graph, path, onSelect }: Props): ReactNode {
  const { namespace, name, uid } = run.metadata;
  const address = objectPath("runs", namespace, name);
  const detail = useResource<StepDetail>(`${address} ${path} ${uid}`, (signal) => get(`${address}/step`, { path }, signal), (found) =>
    isLive(found?.phase) ? POLL_MS : undefined);
  const [part, setPart] = useState<Part>("summary");
  const node = useMemo(() => nodeOf(graph, path), [graph, path]);
  const summary = run.status.steps?.find((step) => step.name === path);
  useChanges((change) => {
    if (change.kind === "relist" || change.run.name === name) detail.reload();
  });
  const { reload } = detail;
  useEffect(() => reload(), [summary?.phase, summary?.attempts, reload]);
  const focus = useRef<HTMLHeadingElement>(null);
  useEffect(() => focus.current?.focus({ preventScroll: true }), []);

  const step = detail.data ?? (summary && stepOf(summary));
  const phase = summary?.phase ?? step?.phase;
  const order = (run.status.rollback?.undone ?? []).indexOf(path) + 1;
  const interrupt = run.status.interrupts?.find((one) => one.step === path);
  return (
    <aside className="inspector" aria-labelledby="inspector-title">
      <header>
        <div>
          <p className="hint">{node?.kind ?? "step"}{node?.does && node.does !== node.kind ? ` · ${node.does}` : ""}</p>
          <h2 id="inspector-title" tabIndex={-1} ref={focus}>{path}</h2>
        </div>
        <button type="button" className="icon-button" aria-label="Close the step" onClick={() => onSelect(undefined)}><Icon name="bad" /></button>
      </header>
      <p className="inspector-line">
        <PhaseBadge phase={phase} of="step" />
        {step?.startedAt && !isReversed(phase) && <span>took <Took from={step.startedAt} to={isLive(phase) ? undefined : step.finishedAt} /></span>}
        {order > 0 && <span className="tone-back strong">taken back as the {ordinal(order)}</span>}
      </p>
      {summary?.reason && <p className="note bad">Cannot start: {summary.reason}</p>}
      {interrupt && <StepAnswer run={run} interrupt={interrupt} node={node} />}
      {detail.problem && step && <StaleNote problem={detail.problem} onRetry={detail.reload} />}
      {!step && (detail.problem ? <ProblemView problem={detail.problem} onRetry={detail.reload} /> : <Spinner label="Reading the step" />)}
      {step && (
        <>
          <Tabs name="step" label="Parts of the step" tabs={tabsOf(step)} chosen={part} onChoose={setPart} />
          <TabPanel name="step" chosen={part}>
            {part === "summary" && <Summary run={run} step={step} node={node} onSelect={onSelect} />}
            {part === "arguments" && <ValueBrowser namespace={namespace} name={name} path={path} of="arguments" info={step.arguments ?? undefined} />}
            {part === "result" && <ValueBrowser namespace={namespace} name={name} path={path} of="result" info={step.result ?? undefined} />}
            {part === "attempts" && <Attempts tasks={step.tasks} />}
            {part === "logs" && <Logs namespace={namespace} name={name} tasks={step.tasks} />}
            {part === "elements" && <Elements namespace={namespace} name={name} path={path} onSelect={onSelect} />}
          </TabPanel>
        </>
      )}
    </aside>
  );
}

/** What the status of the run says of a step: all there is before the step itself was read. */
const stepOf = (said: StepStatus): StepDetail => ({
  path: said.name, phase: said.phase, round: said.round ?? 1, attempt: said.attempts ?? 0, tasks: [],
  ...(said.startedAt !== undefined && { startedAt: said.startedAt }), ...(said.finishedAt !== undefined && { finishedAt: said.finishedAt }),
  ...(said.failure && { failure: said.failure }), ...(said.rollbackFailure && { rollbackFailure: said.rollbackFailure }),
});

function tabsOf(step: StepDetail): Tab<Part>[] {
  const tabs: Tab<Part>[] = [{ id: "summary", label: "Summary" }];
  if (step.map) tabs.push({ id: "elements", label: "Elements" });
  if (step.arguments) tabs.push({ id: "arguments", label: "Arguments" });
  if (step.result) tabs.push({ id: "result", label: "Result" });
  if (step.tasks.length > 0) tabs.push({ id: "attempts", label: "Attempts", count: step.tasks.length });
  if (step.tasks.some((task) => task.logs)) tabs.push({ id: "logs", label: "Logs" });
  return tabs;
}

interface SummaryProps extends Pick<Props, "run" | "onSelect"> {
  readonly step: StepDetail;
  readonly node: ReturnType<typeof nodeOf>;
}

function Summary({ run, step, node, onSelect }: SummaryProps): ReactNode {
  const newest = step.tasks.at(-1);
  return (
    <>
      {step.rollbackFailure && <FailureView title="Could not be taken back" failure={step.rollbackFailure} explained={run.status.rollback?.failures?.find((one) => one.step === step.path)?.detail} />}
      {step.failure && <FailureView title="Failed" failure={step.failure} explained={run.status.failure?.step === step.path ? run.status.failure.detail : undefined} />}
      <dl className="facts tall">
        {step.attempt > 0 && <div><dt>Attempt</dt><dd>{step.attempt}{step.maxAttempts ? ` of ${step.maxAttempts}` : ""}{step.round > 1 ? `, round ${step.round}` : ""}</dd></div>}
        {step.dueAt && <div><dt>{timerWords(step.timer)}</dt><dd><time dateTime={step.dueAt}>{new Date(step.dueAt).toLocaleTimeString()}</time></dd></div>}
        {newest?.pod && <div><dt>Pod</dt><dd><code>{newest.pod}</code></dd></div>}
        {newest?.job && <div><dt>Job</dt><dd><code>{newest.job}</code></dd></div>}
        {node?.when && <div><dt>Runs when</dt><dd><code>{node.when}</code></dd></div>}
        {node?.reactor && <div><dt>Reactor inside</dt><dd>{node.reactor}</dd></div>}
        {node && <div><dt>Can be taken back</dt><dd>{node.undo ? "yes: it has an undo" : "it has no undo"}{node.compensate ? "; its own failure is cleaned up" : ""}</dd></div>}
        {node?.optional && <div><dt>Optional</dt><dd>the run goes on where it fails</dd></div>}
      </dl>
      <StepActions run={run} path={step.path} phase={step.phase} argumentsNow={step.arguments ?? undefined} onDone={() => onSelect(step.path)} />
    </>
  );
}

const timerWords = (timer: string | null | undefined): string =>
  timer === "Retry" ? "Next attempt at" : timer === "Timeout" ? "Times out at" : "Waits until";
