// Where boxes and arrows are, in pixels.

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Placed {
  /** Relative to the box around it. */
  readonly boxes: ReadonlyMap<string, Point & { readonly width: number; readonly height: number }>;
  /** On the whole plane. */
  readonly lines: ReadonlyMap<string, readonly Point[]>;
}

export type Direction = "RIGHT" | "DOWN";
