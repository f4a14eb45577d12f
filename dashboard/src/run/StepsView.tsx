// The steps as a list, in the order of the manifest: all of the graph for who reads rather than looks.
import { memo } from "react";
import type { ReactNode } from "react";
import type { GraphNode, RunGraph, RunStatus, StepStatus } from "../api/types";
import { labelOf } from "../graph/scene";
import { Took } from "../ui/clock";
import { PhaseBadge } from "../ui/PhaseBadge";
import { Spinner } from "../ui/states";
import { ordinal } from "../words/amounts";
import { isLive, isReversed } from "../words/phases";

interface Props {
  readonly graph: RunGraph | undefined;
  readonly status: RunStatus;
  readonly selected: string | undefined;
  readonly onSelect: (path: string) => void;
}

export function StepsView({ graph, status, selected, onSelect }: Props): ReactNode {
  if (!graph) return <Spinner label="Reading the graph" />;
  const said = new Map((status.steps ?? []).map((step) => [step.name, step]));
  const order = new Map((status.rollback?.undone ?? []).map((path, index) => [path, index + 1]));
  const depth = new Map<string, number>();
  for (const node of graph.nodes) depth.set(node.path, node.parent ? (depth.get(node.parent) ?? 0) + 1 : 0);
  return (
    <table className="steps">
      <thead><tr><th scope="col">Step</th><th scope="col">Phase</th><th scope="col">Attempts</th><th scope="col">Took</th><th scope="col">Taken back</th><th scope="col" className="grow">What there is to know</th></tr></thead>
      <tbody>
        {graph.nodes.map((node) => (
          <StepRow key={node.path} node={node} step={said.get(node.path)} depth={depth.get(node.path) ?? 0} order={order.get(node.path)} selected={node.path === selected} onSelect={onSelect} />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  readonly node: GraphNode;
  readonly step: StepStatus | undefined;
  readonly depth: number;
  readonly order: number | undefined;
  readonly selected: boolean;
  readonly onSelect: (path: string) => void;
}

const StepRow = memo(function StepRow({ node, step, depth, order, selected, onSelect }: RowProps): ReactNode {
  const words = step?.rollbackFailure?.message ?? step?.reason ?? step?.failure?.message ?? node.does;
  return (
    <tr className={selected ? "selected" : undefined}>
      <td className={`depth-${Math.min(depth, 6)}`}>
        <button type="button" className="link strong" aria-pressed={selected} onClick={() => onSelect(node.path)}>{labelOf(node.path, node.parent ?? undefined)}</button>
        {node.final && <span className="hint"> at every end</span>}
      </td>
      <td data-label="Phase"><PhaseBadge phase={step?.phase ?? node.phase ?? "Pending"} of="step" /></td>
      <td data-label="Attempts" className="number">{step?.attempts ?? ""}</td>
      <td data-label="Took">{step?.startedAt && !isReversed(step.phase) && <Took from={step.startedAt} to={isLive(step.phase) ? undefined : step.finishedAt} />}</td>
      <td data-label="Taken back">{order === undefined ? "" : ordinal(order)}</td>
      <td className="grow message">{words}</td>
    </tr>
  );
});
