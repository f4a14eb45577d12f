// How large boxes are, in pixels: what lays them out and what draws them agree on it.
export const BOX = { width: 228, height: 74 } as const;
/** What the head of an open scope takes above the boxes inside. */
export const SCOPE_HEAD = 40;
