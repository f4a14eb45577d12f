// An arrow between two steps. One that is taken back points the other way.
import type { EdgeProps } from "@xyflow/react";
import { memo } from "react";
import type { ReactNode } from "react";
import type { ArrowEdge as FlowEdge } from "./flow";
import { headAt, pathThrough } from "./line";

export const ArrowLine = memo(function ArrowLine({ data }: EdgeProps<FlowEdge>): ReactNode {
  if (!data) return null;
  const { arrow, points } = data;
  const back = arrow.look === "reversed" || arrow.look === "reversing";
  const ends = back ? points : points.toReversed();
  const [tip, from] = ends;
  if (!tip || !from) return null;
  return (
    <g className={`arrow ${arrow.look}${arrow.orderOnly ? " order-only" : ""}`}>
      <path className="arrow-line" d={pathThrough(back ? points.toReversed() : points)} />
      <path className="arrow-head" d={headAt(tip, from)} />
    </g>
  );
});
