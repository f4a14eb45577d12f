import { expect, test } from "vitest";
import type { Graph, GraphNode, RunStatus } from "../src/api/types";
import { layInLayers } from "../src/graph/layers";
import { headAt, pathThrough } from "../src/graph/line";
import { FINALLY, labelOf, openAtFirst, sceneOf } from "../src/graph/scene";
import { nodeOf, templatesOf } from "../src/step/paths";

const node = (path: string, more: Partial<GraphNode> = {}): GraphNode =>
  ({ path, kind: "task", does: "work", final: false, undo: true, compensate: false, optional: false, ...more });
const GRAPH: Graph = {
  nodes: [node("a"), node("b"), node("in", { kind: "compose" }), node("in/x", { parent: "in" }), node("rows", { kind: "map" }), node("rows[]", { parent: "rows" }), node("tidy", { final: true })],
  edges: [{ start: "a", end: "b", orderOnly: false }, { start: "b", end: "in", orderOnly: true }],
};

test("an arrow between steps that were undone runs backwards, and each has its place in the order", () => {
  const steps = [{ name: "a", phase: "Undone" }, { name: "b", phase: "Compensated" }] as RunStatus["steps"];
  const scene = sceneOf(GRAPH, { phase: "Failed", steps, rollback: { state: "Complete", undone: ["b", "a"] } } as RunStatus, openAtFirst(GRAPH));
  expect(scene.arrows.map((arrow) => arrow.look)).toEqual(["reversed", "waiting"]);
  expect(scene.steps.find((step) => step.path === "a")?.order).toBe(2);
});

test("what is inside a closed scope is not seen; maps are closed at first, what runs at every end has a frame", () => {
  const paths = (open: ReadonlySet<string>): string[] => sceneOf(GRAPH, undefined, open).steps.map((step) => step.path);
  expect(paths(openAtFirst(GRAPH))).toEqual(["a", "b", "in", "in/x", "rows", "tidy", FINALLY]);
  expect(paths(new Set())).toEqual(["a", "b", "in", "rows", FINALLY]);
});

test("parts of paths that are not the author's own are said in words", () => {
  expect([["a/b", "a"], ["rows[]", "rows"], ["route[0]", "route"], ["route[default]", "route"], ["a", undefined]].map(([path, parent]) => labelOf(path ?? "", parent)))
    .toEqual(["b", "each element", "case 1", "otherwise", "a"]);
});

test("no box is on another one, and each is behind those that it waits for", () => {
  const nodes = Array.from({ length: 300 }, (_, index) => node(`s${index}`));
  const edges = nodes.slice(10).map((one, index) => ({ start: `s${index}`, end: one.path, orderOnly: false }));
  const scene = sceneOf({ nodes, edges }, undefined, new Set());
  const { boxes, lines } = layInLayers(scene, "RIGHT");
  expect(boxes.size).toBe(300);
  expect(lines.size).toBe(290);
  const places = new Set([...boxes.values()].map(({ x, y }) => `${x} ${y}`));
  expect(places.size).toBe(300);
  for (const { start, end } of edges) expect(boxes.get(end)?.x).toBeGreaterThan(boxes.get(start)?.x ?? 0);
});

test("a step in an element is shown by the node that stands for all of them", () => {
  expect(templatesOf("rows[7]/route[0]")).toContain("rows[]/route[0]");
  expect(nodeOf(GRAPH, "rows[12]")?.path).toBe("rows[]");
  expect(nodeOf(GRAPH, "nowhere")).toBeUndefined();
});

test("a line has round corners and a head", () => {
  expect(pathThrough([{ x: 0, y: 0 }, { x: 20, y: 0 }, { x: 20, y: 20 }])).toBe("M0,0L12,0Q20,0 20,8L20,20");
  expect(headAt({ x: 10, y: 0 }, { x: 0, y: 0 })).toBe("M10,0L2,4.5L2,-4.5Z");
});
