// What a definition says of one step.
import type { ReactNode } from "react";
import type { Graph } from "../api/types";
import { Icon } from "../ui/Icon";
import { JsonText } from "../step/JsonText";

interface Props {
  readonly graph: Graph;
  readonly path: string;
  readonly onClose: () => void;
}

export function NodeFacts({ graph, path, onClose }: Props): ReactNode {
  const node = graph.nodes.find((one) => one.path === path);
  if (!node) return null;
  const before = graph.edges.filter((edge) => edge.end === path);
  return (
    <aside className="inspector" aria-labelledby="node-title">
      <header>
        <div><p className="hint">{node.kind}</p><h2 id="node-title">{path}</h2></div>
        <button type="button" className="icon-button" aria-label="Close the step" onClick={onClose}><Icon name="bad" /></button>
      </header>
      <dl className="facts tall">
        <div><dt>Does</dt><dd>{node.does}</dd></div>
        {node.when && <div><dt>Runs when</dt><dd><code>{node.when}</code></dd></div>}
        {before.length > 0 && <div><dt>Waits for</dt><dd>{before.map((edge) => edge.start).join(", ")}</dd></div>}
        <div><dt>Undo</dt><dd>{node.undo ? "yes: taken back when a later step fails" : "none"}</dd></div>
        <div><dt>Compensate</dt><dd>{node.compensate ? "yes: its own failure is cleaned up" : "none"}</dd></div>
        {node.optional && <div><dt>Optional</dt><dd>the run goes on where it fails</dd></div>}
        {node.reactor && <div><dt>Reactor inside</dt><dd>{node.reactor}</dd></div>}
        {node.interrupt?.timeout && <div><dt>Waits at most</dt><dd>{node.interrupt.timeout}</dd></div>}
      </dl>
      {node.interrupt?.payloadSchema && <><h3>Payload it waits for</h3><JsonText value={node.interrupt.payloadSchema} /></>}
    </aside>
  );
}
