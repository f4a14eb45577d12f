// Whether a graph goes to the right or down: as there is room.
import { useLayoutEffect, useState } from "react";
import type { RefObject } from "react";
import type { Direction } from "./places";

const NARROW = 640;

export function useDirection(frame: RefObject<HTMLElement | null>): Direction {
  const [direction, setDirection] = useState<Direction>("RIGHT");
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    const measure = (): void => setDirection(element.clientWidth < NARROW && window.innerWidth < NARROW ? "DOWN" : "RIGHT");
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [frame]);
  return direction;
}
