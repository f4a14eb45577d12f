// Where boxes and arrows go, by elk, in a worker that is loaded when the first graph is drawn.
// In: a scene. Out: places and lines, in pixels. Never here: what a box looks like, or a phase: only the shape counts.
import type { ELK, ElkExtendedEdge, ElkNode } from "elkjs/lib/elk-api";
import { grouped } from "./grouped";
import { layInLayers } from "./layers";
import { BOX, SCOPE_HEAD } from "./measures";
import type { Direction, Placed, Point } from "./places";
import { FINALLY } from "./scene";
import type { Arrow, Scene, StepView } from "./scene";

const PADDING = `[top=${SCOPE_HEAD + 16},left=16,bottom=16,right=16]`;
const MANY = 200;

let elk: Promise<ELK> | undefined;

async function loadElk(): Promise<ELK> {
  const [api, worker] = await Promise.all([import("elkjs/lib/elk-api.js"), import("elkjs/lib/elk-worker.min.js?url")]);
  return new api.default({ workerUrl: worker.default });
}

/** Let the worker be loaded before the first graph is there. */
export function prepareLayout(): void {
  elk ??= loadElk();
}

/** Return what the places depend on: the same text, the same places. */
export const shapeOf = (scene: Scene, direction: Direction): string =>
  [direction, ...scene.steps.map((step) => `${step.path}${step.open ? "+" : ""}`), ...scene.arrows.map((arrow) => arrow.id)].join("\n");

/** Lay a scene out; many boxes without the worker, which would take seconds. */
export async function layOut(scene: Scene, direction: Direction): Promise<Placed> {
  if (scene.steps.length > MANY) return layInLayers(scene, direction);
  elk ??= loadElk();
  const laid = await (await elk).layout(toElk(scene, direction));
  return fromElk(laid);
}

function toElk(scene: Scene, direction: Direction): ElkNode {
  const steps = grouped(scene.steps, (step) => step.parent);
  const arrows = grouped(scene.arrows, (arrow) => arrow.parent);
  const inside = (parent: string | undefined): Pick<ElkNode, "children" | "edges"> => ({
    children: (steps.get(parent) ?? []).map(box),
    edges: (arrows.get(parent) ?? []).map(edge),
  });
  const box = (step: StepView): ElkNode =>
    step.open
      ? { id: step.path, ...inside(step.path), layoutOptions: { ...options(direction, PADDING), ...placeOf(step) } }
      : { id: step.path, ...BOX, layoutOptions: placeOf(step) };
  return { id: "", ...inside(undefined), layoutOptions: options(direction, "[top=8,left=8,bottom=8,right=8]") };
}

/** What runs at every end stands at the end, though no arrow leads there. */
const placeOf = (step: StepView): Record<string, string> =>
  step.path === FINALLY ? { "elk.layered.layering.layerConstraint": "LAST" } : {};

const options = (direction: Direction, padding: string): Record<string, string> => ({
  "elk.algorithm": "layered",
  "elk.direction": direction,
  "elk.padding": padding,
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.spacing.nodeNode": "22",
  "elk.spacing.edgeNode": "14",
  "elk.layered.spacing.nodeNodeBetweenLayers": "56",
  "elk.layered.spacing.edgeNodeBetweenLayers": "18",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.separateConnectedComponents": "false",
  "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF",
  "elk.layered.nodePlacement.bk.fixedAlignment": "BALANCED",
});

const edge = (arrow: Arrow): ElkExtendedEdge => ({ id: arrow.id, sources: [arrow.from], targets: [arrow.to] });

function fromElk(root: ElkNode): Placed {
  const boxes = new Map<string, Point & { width: number; height: number }>();
  const lines = new Map<string, readonly Point[]>();
  const visit = (node: ElkNode, x: number, y: number): void => {
    for (const line of node.edges ?? []) {
      const points = (line.sections ?? []).flatMap((part) => [part.startPoint, ...(part.bendPoints ?? []), part.endPoint]);
      lines.set(line.id, points.map((point) => ({ x: point.x + x, y: point.y + y })));
    }
    for (const child of node.children ?? []) {
      const place = { x: child.x ?? 0, y: child.y ?? 0 };
      boxes.set(child.id, { ...place, width: child.width ?? BOX.width, height: child.height ?? BOX.height });
      visit(child, x + place.x, y + place.y);
    }
  };
  visit(root, 0, 0);
  return { boxes, lines };
}
