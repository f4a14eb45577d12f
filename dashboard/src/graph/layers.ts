// Where many boxes go, at once: in layers by what they wait for, in each layer near what they wait for.
// In: a scene. Out: places, as of the worker, which takes seconds for a thousand boxes where this takes milliseconds; its
// arrows are the finer ones. Pure.
import { grouped } from "./grouped";
import type { Direction, Placed, Point } from "./places";
import { BOX, SCOPE_HEAD } from "./measures";
import { FINALLY } from "./scene";
import type { Arrow, Scene, StepView } from "./scene";

const GAP = { layers: 64, boxes: 24, around: 16 } as const;
const SWEEPS = 3;

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Lay a scene out. */
export function layInLayers(scene: Scene, direction: Direction): Placed {
  const inside = grouped(scene.steps, (step) => step.parent);
  const arrows = grouped(scene.arrows, (arrow) => arrow.parent);
  const boxes = new Map<string, Point & Size>();
  const place = (parent: string | undefined): Size => {
    const steps = inside.get(parent) ?? [];
    const sizes = new Map(steps.map((step) => [step.path, step.open ? place(step.path) : BOX]));
    const head = parent === undefined ? 0 : SCOPE_HEAD;
    return placeLayers(layersOf(steps, arrows.get(parent) ?? []), sizes, direction, head, boxes);
  };
  place(undefined);
  const absolute = new Map<string, Point & Size>();
  const whole = (step: StepView): Point & Size => {
    const known = absolute.get(step.path);
    if (known) return known;
    const own = boxes.get(step.path) ?? { x: 0, y: 0, ...BOX };
    const parent = step.parent === undefined ? undefined : byPath.get(step.parent);
    const around = parent ? whole(parent) : { x: 0, y: 0 };
    const found = { ...own, x: own.x + around.x, y: own.y + around.y };
    absolute.set(step.path, found);
    return found;
  };
  const byPath = new Map(scene.steps.map((step) => [step.path, step]));
  const lines = new Map<string, readonly Point[]>();
  for (const arrow of scene.arrows) {
    const [from, to] = [byPath.get(arrow.from), byPath.get(arrow.to)];
    if (from && to) lines.set(arrow.id, lineBetween(whole(from), whole(to), direction));
  }
  return { boxes, lines };
}

/** Return the paths of each layer: a step is one layer behind the last one that it waits for. */
function layersOf(steps: readonly StepView[], arrows: readonly Arrow[]): string[][] {
  const needs = grouped(arrows, (arrow) => arrow.to);
  const dependents = grouped(arrows, (arrow) => arrow.from);
  const layer = new Map<string, number>();
  const left = new Map(steps.map((step) => [step.path, needs.get(step.path)?.length ?? 0]));
  const ready = steps.filter((step) => left.get(step.path) === 0).map((step) => step.path);
  for (let next = ready.shift(); next !== undefined; next = ready.shift()) {
    const before = (needs.get(next) ?? []).map((arrow) => layer.get(arrow.from) ?? 0);
    layer.set(next, before.length > 0 ? Math.max(...before) + 1 : 0);
    for (const { to } of dependents.get(next) ?? []) {
      const rest = (left.get(to) ?? 1) - 1;
      left.set(to, rest);
      if (rest === 0) ready.push(to);
    }
  }
  const last = Math.max(0, ...layer.values());
  if (layer.has(FINALLY)) layer.set(FINALLY, last + 1);
  const layers: string[][] = Array.from({ length: last + 2 }, () => []);
  for (const step of steps) layers[layer.get(step.path) ?? 0]?.push(step.path);
  return ordered(layers.filter((one) => one.length > 0), needs);
}

/** Return layers in which each step is near the middle of those that it waits for. */
function ordered(layers: readonly string[][], needs: ReadonlyMap<string | undefined, readonly Arrow[]>): string[][] {
  let found = layers.map((layer) => [...layer]);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const place = new Map<string, number>(found.flatMap((layer) => layer.map((path, index): [string, number] => [path, index])));
    found = found.map((layer) => {
      const middle = new Map(layer.map((path, index) => {
        const before = (needs.get(path) ?? []).map((arrow) => place.get(arrow.from) ?? index);
        return [path, before.length > 0 ? before.reduce((sum, one) => sum + one, 0) / before.length : index];
      }));
      const next = layer.toSorted((one, other) => (middle.get(one) ?? 0) - (middle.get(other) ?? 0));
      next.forEach((path, index) => place.set(path, index));
      return next;
    });
  }
  return found;
}

/** Put boxes of layers beside each other, and return how much room they take. */
function placeLayers(
  layers: readonly string[][], sizes: ReadonlyMap<string, Size>, direction: Direction, head: number, boxes: Map<string, Point & Size>,
): Size {
  const right = direction === "RIGHT";
  const deep = (size: Size): number => (right ? size.width : size.height);
  const broad = (size: Size): number => (right ? size.height : size.width);
  const sizeOf = (path: string): Size => sizes.get(path) ?? BOX;
  const breadths = layers.map((layer) => layer.reduce((sum, path) => sum + broad(sizeOf(path)) + GAP.boxes, -GAP.boxes));
  const breadth = Math.max(0, ...breadths);
  let depth = right ? GAP.around : GAP.around + head;
  layers.forEach((layer, index) => {
    let at = (right ? GAP.around + head : GAP.around) + (breadth - (breadths[index] ?? 0)) / 2;
    for (const path of layer) {
      const size = sizeOf(path);
      boxes.set(path, { ...(right ? { x: depth, y: at } : { x: at, y: depth }), ...size });
      at += broad(size) + GAP.boxes;
    }
    depth += Math.max(...layer.map((path) => deep(sizeOf(path)))) + GAP.layers;
  });
  const [along, across] = [depth - GAP.layers + GAP.around, breadth + 2 * GAP.around];
  return right ? { width: along, height: across + head } : { width: across, height: along };
}

function lineBetween(from: Point & Size, to: Point & Size, direction: Direction): Point[] {
  if (direction === "RIGHT") {
    const [start, end] = [{ x: from.x + from.width, y: from.y + from.height / 2 }, { x: to.x, y: to.y + to.height / 2 }];
    if (Math.abs(start.y - end.y) < 1) return [start, end];
    const turn = end.x - GAP.layers / 2;
    return [start, { x: turn, y: start.y }, { x: turn, y: end.y }, end];
  }
  const [start, end] = [{ x: from.x + from.width / 2, y: from.y + from.height }, { x: to.x + to.width / 2, y: to.y }];
  if (Math.abs(start.x - end.x) < 1) return [start, end];
  const turn = end.y - GAP.layers / 2;
  return [start, { x: start.x, y: turn }, { x: end.x, y: turn }, end];
}
