// What boxes of a graph can be asked to do, and how much they say; handed down by context, so that a box stays the same
// when nothing of its own changed.
import { createContext } from "react";

export interface Actions {
  readonly select: (path: string) => void;
  readonly toggle: (path: string) => void;
}

/** How much a box says, the less the farther away it is. */
export type Detail = "all" | "name" | "colour";

export const GraphActions = createContext<Actions>({ select: () => undefined, toggle: () => undefined });
export const GraphDetail = createContext<Detail>("all");
