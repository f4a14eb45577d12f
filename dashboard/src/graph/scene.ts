// The steps of a run as boxes and arrows: which of them are seen, what each says, which arrows run backwards.
// In: the graph and the status of a run (or of a reactor, without one), which scopes are open. Out: a scene. Pure.
import type { Graph, GraphNode, RunStatus, StepStatus } from "../api/types";
import { isLive, isReversed } from "../words/phases";

export const FINALLY = "/finally";
const OPEN_BELOW = 60;

/** One box. `order`: its place in the order of undoing, from 1. `inner`: how many steps are directly inside. */
export interface StepView {
  readonly path: string;
  readonly parent: string | undefined;
  readonly label: string;
  readonly kind: string;
  readonly does: string;
  readonly phase: string | undefined;
  readonly attempts: number;
  readonly startedAt: string | undefined;
  readonly finishedAt: string | undefined;
  readonly words: string | undefined;
  readonly order: number | undefined;
  readonly inner: number;
  readonly open: boolean;
  readonly undo: boolean;
  readonly optional: boolean;
  readonly sound: boolean;
  readonly map: StepStatus["map"];
}

export interface Arrow {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly parent: string | undefined;
  readonly orderOnly: boolean;
  readonly look: "waiting" | "passed" | "flowing" | "reversing" | "reversed";
}

export interface Scene {
  readonly steps: readonly StepView[];
  readonly arrows: readonly Arrow[];
}

/** Return the scopes that are open at first: all but maps, which say more closed, unless that would be a wall of boxes. */
export function openAtFirst(graph: Graph): ReadonlySet<string> {
  if (graph.nodes.length > OPEN_BELOW) return new Set([FINALLY]);
  return new Set([FINALLY, ...graph.nodes.filter((node) => node.kind !== "map").map((node) => node.path)]);
}

/** Return what is seen. `marked`: paths that a problem is known of. */
export function sceneOf(
  graph: Graph, status: RunStatus | undefined, open: ReadonlySet<string>, marked: ReadonlySet<string> = new Set(),
): Scene {
  const said = new Map((status?.steps ?? []).map((step) => [step.name, step]));
  const order = new Map((status?.rollback?.undone ?? []).map((path, index) => [path, index + 1]));
  const waiting = new Map((status?.interrupts ?? []).map((one) => [one.step, one]));
  const parents = new Map(graph.nodes.map((node) => [node.path, parentOf(node)]));
  const inner = countInner(graph.nodes);
  const isSeen = (path: string | undefined): boolean =>
    path === undefined || (open.has(path) && isSeen(parents.get(path)));
  const seen = graph.nodes.filter((node) => isSeen(parentOf(node)));
  const steps = seen.map((node): StepView => {
    const step = said.get(node.path);
    return {
      ...plain(node, inner.get(node.path) ?? 0, open),
      phase: isTemplate(node.path) ? undefined : (step?.phase ?? node.phase ?? (status ? "Pending" : undefined)),
      attempts: step?.attempts ?? 0,
      startedAt: step?.startedAt ?? undefined,
      finishedAt: step?.finishedAt ?? undefined,
      words: wordsOf(step, waiting.get(node.path)?.lastRejection ?? undefined),
      order: order.get(node.path),
      sound: !marked.has(node.path),
      map: step?.map ?? undefined,
    };
  });
  const finals = graph.nodes.filter((node) => node.final && !node.parent).length;
  const all = finals > 0 ? [...steps, finallyBox(finals, open)] : steps;
  return { steps: all, arrows: arrowsOf(graph, new Map(steps.map((step) => [step.path, step]))) };
}

/** Whether a node stands for all elements of a map: each of them is somewhere else. */
const isTemplate = (path: string): boolean => /\[(|page|collect)\]/.test(path);

const parentOf = (node: GraphNode): string | undefined => node.parent ?? (node.final ? FINALLY : undefined);

function countInner(nodes: readonly GraphNode[]): ReadonlyMap<string, number> {
  const inner = new Map<string, number>();
  for (const node of nodes) {
    if (node.parent) inner.set(node.parent, (inner.get(node.parent) ?? 0) + 1);
  }
  return inner;
}

function plain(node: GraphNode, inner: number, open: ReadonlySet<string>) {
  return {
    path: node.path,
    parent: parentOf(node),
    label: labelOf(node.path, node.parent ?? undefined),
    kind: node.kind,
    does: node.does,
    inner,
    open: inner > 0 && open.has(node.path),
    undo: node.undo,
    optional: node.optional,
  };
}

const finallyBox = (inner: number, open: ReadonlySet<string>): StepView => ({
  path: FINALLY, parent: undefined, label: "At every end", kind: "finally", does: "finally", phase: undefined, attempts: 0,
  startedAt: undefined, finishedAt: undefined, words: undefined, order: undefined, inner, open: open.has(FINALLY),
  undo: false, optional: false, sound: true, map: undefined,
});

/** Return the last part of a path, in words where it is none of the author's own. */
export function labelOf(path: string, parent: string | undefined): string {
  const rest = parent !== undefined && path.startsWith(parent) ? path.slice(parent.length) : path;
  if (rest === "[]") return "each element";
  if (rest === "[default]") return "otherwise";
  const numbered = /^\[(\d+)\]$/.exec(rest);
  if (numbered) return `case ${Number(numbered[1]) + 1}`;
  return rest.replace(/^\//, "").replace(/^\[(.*)\]$/, "$1") || path;
}

const wordsOf = (step: StepStatus | undefined, rejection: string | undefined): string | undefined =>
  step?.rollbackFailure?.message ?? step?.reason ?? (isShownFailure(step) ? step?.failure?.message : undefined) ?? rejection;

const isShownFailure = (step: StepStatus | undefined): boolean =>
  ["Failed", "Retrying", "Ignored", "Compensating", "Compensated"].includes(step?.phase ?? "");

function arrowsOf(graph: Graph, seen: ReadonlyMap<string, StepView>): Arrow[] {
  return graph.edges.flatMap((edge) => {
    const [from, to] = [seen.get(edge.start), seen.get(edge.end)];
    if (!from || !to || from.parent !== to.parent) return [];
    const arrow = { id: `${edge.start}→${edge.end}`, from: edge.start, to: edge.end, parent: from.parent };
    return [{ ...arrow, orderOnly: edge.orderOnly, look: lookOf(from, to) }];
  });
}

function lookOf(from: StepView, to: StepView): Arrow["look"] {
  const wasOn = (step: StepView): boolean => isReversed(step.phase) || step.phase === "Failed";
  if (isReversed(from.phase) && wasOn(to)) return isLive(from.phase) ? "reversing" : "reversed";
  if (isReversed(to.phase) && from.phase === "Succeeded") return isLive(to.phase) ? "passed" : "reversing";
  if (isLive(to.phase)) return "flowing";
  return from.phase !== undefined && ["Succeeded", "Skipped", "Ignored"].includes(from.phase) && to.phase !== "Pending" ? "passed" : "waiting";
}
