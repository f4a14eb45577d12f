// A scene with its places as what xyflow draws. What has not changed stays the same object, so that it is not drawn anew.
import type { Node } from "@xyflow/react";
import type { Placed, Point } from "./places";
import type { Arrow, Scene, StepView } from "./scene";

export type StepData = { readonly step: StepView; readonly selected: boolean };
export type StepNode = Node<StepData, "step" | "scope">;

export interface DrawnArrow {
  readonly arrow: Arrow;
  readonly points: readonly Point[];
}

export interface Kept {
  nodes: ReadonlyMap<string, StepNode>;
  arrows: ReadonlyMap<string, DrawnArrow>;
}

/** Frames lie under arrows, the outer ones lowest; boxes lie on them. */
const LOWEST = -1000;

export const nothingKept = (): Kept => ({ nodes: new Map(), arrows: new Map() });

/** Return boxes and arrows, those of `kept` where nothing about them is new. A box that has no place yet is left away. */
export function flowOf(scene: Scene, placed: Placed, selected: string | undefined, kept: Kept): Kept {
  const nodes = new Map<string, StepNode>();
  for (const [step, depth] of inOrder(scene.steps)) {
    const node = nodeOf(step, depth, placed, step.path === selected);
    if (!node || (node.parentId !== undefined && !nodes.has(node.parentId))) continue;
    const before = kept.nodes.get(step.path);
    nodes.set(step.path, before && same(before, node) ? before : node);
  }
  const arrows = new Map<string, DrawnArrow>();
  for (const arrow of scene.arrows) {
    const points = placed.lines.get(arrow.id);
    if (!points || !nodes.has(arrow.from) || !nodes.has(arrow.to)) continue;
    const before = kept.arrows.get(arrow.id);
    const unchanged = before?.points === points && before.arrow.look === arrow.look;
    arrows.set(arrow.id, unchanged ? before : { arrow, points });
  }
  return { nodes, arrows };
}

function nodeOf(step: StepView, depth: number, placed: Placed, selected: boolean): StepNode | undefined {
  const place = placed.boxes.get(step.path);
  if (!place) return undefined;
  return {
    id: step.path,
    type: step.open ? "scope" : "step",
    position: { x: place.x, y: place.y },
    width: place.width,
    height: place.height,
    measured: { width: place.width, height: place.height }, // before it is drawn: what is far away counts too
    zIndex: step.open ? LOWEST + depth : 1,
    handles: [], // arrows are drawn from places, nobody draws one by hand
    ...(step.parent !== undefined && { parentId: step.parent }),
    data: { step, selected },
  };
}

/** Return steps with how deep each is inside of others, so that it comes after them, as xyflow needs it. */
function inOrder(steps: readonly StepView[]): [StepView, number][] {
  const byPath = new Map(steps.map((step) => [step.path, step]));
  const depth = (step: StepView): number => {
    const parent = step.parent === undefined ? undefined : byPath.get(step.parent);
    return parent ? depth(parent) + 1 : 0;
  };
  return steps.map((step): [StepView, number] => [step, depth(step)]).toSorted(([, one], [, other]) => one - other);
}

function same(one: StepNode, other: StepNode): boolean {
  return (
    one.type === other.type && one.position.x === other.position.x && one.position.y === other.position.y &&
    one.width === other.width && one.height === other.height && one.zIndex === other.zIndex &&
    one.data.selected === other.data.selected && sameStep(one.data.step, other.data.step)
  );
}

const sameStep = (one: StepView, other: StepView): boolean =>
  (Object.keys(other) as (keyof StepView)[]).every(
    (name) => one[name] === other[name] || (name === "map" && JSON.stringify(one.map) === JSON.stringify(other.map)),
  );
