// The arrows between steps, in one picture under the boxes. Those that are taken back point the other way.
// Those of a kind that are near each other are one line: a browser moves a hundred lines more easily than two thousand,
// and need not draw what is far from what is seen.
import { ViewportPortal } from "@xyflow/react";
import { memo, useMemo } from "react";
import type { ReactNode } from "react";
import type { DrawnArrow } from "./flow";
import { grouped } from "./grouped";
import { headAt, pathThrough } from "./line";

export const Arrows = memo(function Arrows({ drawn }: { readonly drawn: readonly DrawnArrow[] }): ReactNode {
  const lines = useMemo(() => grouped(drawn, (one) => `${placeOf(one)} ${kindOf(one)}`), [drawn]);
  return (
    <ViewportPortal>
      <svg className="arrows" aria-hidden="true">
        {[...lines].map(([name, arrows]) => (
          <g key={name} className={arrows[0] && kindOf(arrows[0])} data-count={arrows.length}>
            <path className="arrow-line" d={arrows.map(lineOf).join("")} />
            <path className="arrow-head" d={arrows.map(headOf).join("")} />
          </g>
        ))}
      </svg>
    </ViewportPortal>
  );
});

const NEAR = 1500;

const kindOf = ({ arrow }: DrawnArrow): string => `arrow ${arrow.look}${arrow.orderOnly ? " order-only" : ""}`;

function placeOf({ points: [first] }: DrawnArrow): string {
  return first ? `${Math.floor(first.x / NEAR)} ${Math.floor(first.y / NEAR)}` : "";
}

const ways = ({ arrow, points }: DrawnArrow): DrawnArrow["points"] =>
  arrow.look === "reversed" || arrow.look === "reversing" ? points.toReversed() : points;

const lineOf = (drawn: DrawnArrow): string => pathThrough(ways(drawn));

function headOf(drawn: DrawnArrow): string {
  const [from, tip] = ways(drawn).slice(-2);
  return tip && from ? headAt(tip, from) : "";
}
