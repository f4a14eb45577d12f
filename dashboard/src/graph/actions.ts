// What boxes of a graph can be asked to do; handed down by context, so that boxes stay the same when nothing of theirs changed.
import { createContext } from "react";

export interface Actions {
  readonly select: (path: string) => void;
  readonly toggle: (path: string) => void;
}

export const GraphActions = createContext<Actions>({ select: () => undefined, toggle: () => undefined });
