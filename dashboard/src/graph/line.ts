// A line through points as an SVG path with round corners, and the head of its arrow. Pure.
import type { Point } from "./places";

const ROUND = 8;
const HEAD = { length: 8, half: 4.5 } as const;

/** Return the path through points. */
export function pathThrough(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${at(first)}`;
  rest.forEach((point, index) => {
    const [before, after] = [index === 0 ? first : (rest[index - 1] ?? first), rest[index + 1]];
    if (!after) {
      path += `L${at(point)}`;
      return;
    }
    path += `L${at(towards(point, before, ROUND))}Q${at(point)} ${at(towards(point, after, ROUND))}`;
  });
  return path;
}

/** Return the head of an arrow that points from one point to another, at the latter. */
export function headAt(tip: Point, from: Point): string {
  const length = distance(tip, from) || 1;
  const [x, y] = [(tip.x - from.x) / length, (tip.y - from.y) / length];
  const base = { x: tip.x - x * HEAD.length, y: tip.y - y * HEAD.length };
  const [one, other] = [1, -1].map((side) => ({ x: base.x - y * HEAD.half * side, y: base.y + x * HEAD.half * side }));
  return one && other ? `M${at(tip)}L${at(one)}L${at(other)}Z` : "";
}

const at = (point: Point): string => `${round(point.x)},${round(point.y)}`;
const round = (number: number): number => Math.round(number * 10) / 10;
const distance = (one: Point, other: Point): number => Math.hypot(one.x - other.x, one.y - other.y);

function towards(point: Point, other: Point, most: number): Point {
  const length = distance(point, other) || 1;
  const part = Math.min(most, length / 2) / length;
  return { x: point.x + (other.x - point.x) * part, y: point.y + (other.y - point.y) * part };
}
