// Addresses of the dashboard. In: a path and a query. Out: which view, and back. Pure.

export type RunView = "graph" | "steps" | "timeline" | "history" | "data";
export const RUN_VIEWS: readonly RunView[] = ["graph", "steps", "timeline", "history", "data"];

export type Route =
  | { readonly view: "runs" }
  | { readonly view: "run"; readonly namespace: string; readonly name: string }
  | { readonly view: "inbox" }
  | { readonly view: "reactors" }
  | { readonly view: "reactor"; readonly namespace: string; readonly name: string }
  | { readonly view: "nowhere" };

const BASE = "/dashboard";

/** Return which view a path is of. */
export function parseRoute(path: string): Route {
  const parts = path.replace(/^\/dashboard\/?/, "").split("/").filter(Boolean).map(decoded);
  const [kind, namespace, name] = parts;
  if (kind === undefined) return { view: "runs" };
  if (parts.length === 3 && namespace && name) {
    if (kind === "runs") return { view: "run", namespace, name };
    if (kind === "reactors") return { view: "reactor", namespace, name };
  }
  if (parts.length === 1 && (kind === "runs" || kind === "inbox" || kind === "reactors")) return { view: kind };
  return { view: "nowhere" };
}

/** Return the path of a view. */
export function pathOf(route: Route): string {
  switch (route.view) {
    case "run": return `${BASE}/runs/${encoded(route.namespace)}/${encoded(route.name)}`;
    case "reactor": return `${BASE}/reactors/${encoded(route.namespace)}/${encoded(route.name)}`;
    case "inbox": return `${BASE}/inbox`;
    case "reactors": return `${BASE}/reactors`;
    default: return `${BASE}/runs`;
  }
}

export const runPath = (namespace: string, name: string): string => pathOf({ view: "run", namespace, name });
export const reactorPath = (namespace: string, name: string): string => pathOf({ view: "reactor", namespace, name });

const encoded = encodeURIComponent;

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Return a query with some of its parameters changed; undefined takes one away. */
export function changedQuery(query: URLSearchParams, changes: Readonly<Record<string, string | readonly string[] | undefined>>): string {
  const changed = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    changed.delete(name);
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [value as string]) changed.append(name, one);
  }
  const text = changed.toString();
  return text ? `?${text}` : "";
}
