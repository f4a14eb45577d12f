// Which step an arrow key leads to: along an arrow to the right and left, to the next box above and below. Pure.
import type { StepNode } from "./flow";
import type { Arrow } from "./scene";

/** Return the path of the step, undefined where the key leads nowhere. */
export function neighbour(key: string, from: string | undefined, nodes: readonly StepNode[], arrows: readonly Arrow[]): string | undefined {
  const here = nodes.find((node) => node.id === from);
  if (!here) return undefined;
  if (key === "ArrowRight") return arrows.find((arrow) => arrow.from === from)?.to;
  if (key === "ArrowLeft") return arrows.find((arrow) => arrow.to === from)?.from;
  if (key !== "ArrowUp" && key !== "ArrowDown") return undefined;
  const way = key === "ArrowDown" ? 1 : -1;
  const beyond = nodes.filter((node) => node.parentId === here.parentId && (node.position.y - here.position.y) * way > 1);
  const distance = (node: StepNode): number =>
    Math.abs(node.position.y - here.position.y) + 2 * Math.abs(node.position.x - here.position.x);
  return beyond.toSorted((one, other) => distance(one) - distance(other))[0]?.id;
}
