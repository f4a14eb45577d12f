// A scene with its places as what xyflow draws. What has not changed stays the same object, so that it is not drawn anew.
import { Position } from "@xyflow/react";
import type { Edge, Node } from "@xyflow/react";
import type { Direction, Placed, Point } from "./layout";
import type { Arrow, Scene, StepView } from "./scene";

export type StepData = { readonly step: StepView; readonly selected: boolean; readonly direction: Direction };
export type StepNode = Node<StepData, "step" | "scope">;
export type ArrowData = { readonly arrow: Arrow; readonly points: readonly Point[] };
export type ArrowEdge = Edge<ArrowData, "arrow">;

export interface Kept {
  nodes: ReadonlyMap<string, StepNode>;
  edges: ReadonlyMap<string, ArrowEdge>;
}

export const nothingKept = (): Kept => ({ nodes: new Map(), edges: new Map() });

/** Return nodes and edges, those of `kept` where nothing about them is new. A box that has no place yet is left away. */
export function flowOf(scene: Scene, placed: Placed, direction: Direction, selected: string | undefined, kept: Kept): Kept {
  const nodes = new Map<string, StepNode>();
  for (const step of inOrder(scene.steps)) {
    const node = nodeOf(step, placed, direction, step.path === selected);
    if (!node || (node.parentId !== undefined && !nodes.has(node.parentId))) continue;
    const before = kept.nodes.get(step.path);
    nodes.set(step.path, before && same(before, node) ? before : node);
  }
  const edges = new Map<string, ArrowEdge>();
  for (const arrow of scene.arrows) {
    const points = placed.lines.get(arrow.id);
    if (!points || !nodes.has(arrow.from) || !nodes.has(arrow.to)) continue;
    const before = kept.edges.get(arrow.id);
    const unchanged = before?.data?.points === points && before.data.arrow.look === arrow.look;
    edges.set(arrow.id, unchanged ? before : { id: arrow.id, type: "arrow", source: arrow.from, target: arrow.to, data: { arrow, points } });
  }
  return { nodes, edges };
}

function nodeOf(step: StepView, placed: Placed, direction: Direction, selected: boolean): StepNode | undefined {
  const place = placed.boxes.get(step.path);
  if (!place) return undefined;
  const right = direction === "RIGHT";
  return {
    id: step.path,
    type: step.open ? "scope" : "step",
    position: { x: place.x, y: place.y },
    width: place.width,
    height: place.height,
    ...(step.parent !== undefined && { parentId: step.parent }),
    sourcePosition: right ? Position.Right : Position.Bottom,
    targetPosition: right ? Position.Left : Position.Top,
    data: { step, selected, direction },
  };
}

/** Return steps so that each comes after the one that it is inside of, as xyflow needs them. */
function inOrder(steps: readonly StepView[]): StepView[] {
  const depth = (step: StepView): number => {
    const parent = steps.length > 0 && step.parent !== undefined ? byPath.get(step.parent) : undefined;
    return parent ? depth(parent) + 1 : 0;
  };
  const byPath = new Map(steps.map((step) => [step.path, step]));
  const depths = new Map(steps.map((step) => [step.path, depth(step)]));
  return steps.toSorted((one, other) => (depths.get(one.path) ?? 0) - (depths.get(other.path) ?? 0));
}

function same(one: StepNode, other: StepNode): boolean {
  return (
    one.type === other.type && one.position.x === other.position.x && one.position.y === other.position.y &&
    one.width === other.width && one.height === other.height && one.data.selected === other.data.selected &&
    one.data.direction === other.data.direction && sameStep(one.data.step, other.data.step)
  );
}

const sameStep = (one: StepView, other: StepView): boolean =>
  (Object.keys(other) as (keyof StepView)[]).every(
    (name) => one[name] === other[name] || (name === "map" && JSON.stringify(one.map) === JSON.stringify(other.map)),
  );
