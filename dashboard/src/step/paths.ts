// Paths of steps in elements of maps, and the node of the graph that stands for them. Pure.
import type { Graph, GraphNode } from "../api/types";

/** Return the path with every element left open: `rows[7]/store` is `rows[]/store`. */
export function templatesOf(path: string): string[] {
  const places = [...path.matchAll(/\[\d+\]/g)];
  if (places.length === 0) return [path];
  // which of the brackets are of a map and which of a switch only the graph knows: all ways are tried
  let templates = [path];
  for (const place of places) templates = templates.flatMap((one) => [one, one.replace(place[0], "[]")]);
  return templates;
}

/** Return the node of the graph that a step is, or that stands for it. */
export function nodeOf(graph: Graph | undefined, path: string): GraphNode | undefined {
  const candidates = new Set(templatesOf(path));
  return graph?.nodes.find((node) => node.path === path) ?? graph?.nodes.find((node) => candidates.has(node.path));
}
