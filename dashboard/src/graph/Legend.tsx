// What the kinds of arrows mean that are in the graph.
import { Panel } from "@xyflow/react";
import type { ReactNode } from "react";
import { Icon } from "../ui/Icon";
import type { Arrow } from "./scene";

const KINDS: readonly (readonly [string, string, (arrow: Arrow) => boolean])[] = [
  ["arrow passed", "went on to", (arrow) => arrow.look === "passed"],
  ["arrow waiting", "comes next", (arrow) => arrow.look === "waiting"],
  ["arrow flowing", "goes on now", (arrow) => arrow.look === "flowing"],
  ["arrow reversed", "was taken back, in this order", (arrow) => arrow.look === "reversed"],
  ["arrow reversing", "is being taken back", (arrow) => arrow.look === "reversing"],
  ["arrow waiting order-only", "dotted: comes after it, and takes no result of it", (arrow) => arrow.orderOnly],
];

export function Legend({ arrows }: { readonly arrows: readonly Arrow[] }): ReactNode {
  const shown = KINDS.filter(([, , isOf]) => arrows.some(isOf));
  if (shown.length === 0) return null;
  return (
    <Panel position="top-left" className="legend">
      <details>
        <summary><Icon name="info" />Arrows</summary>
        <ul>
          {shown.map(([name, words]) => (
            <li key={name}>
              <svg width="36" height="10" aria-hidden="true"><g className={name}><path className="arrow-line" d="M0,5L28,5" /><path className="arrow-head" d="M36,5L28,9.5L28,0.5Z" /></g></svg>
              {words}
            </li>
          ))}
        </ul>
      </details>
    </Panel>
  );
}
