// The places of a scene: asked for when its shape changes, kept until the new ones are there.
import { useEffect, useMemo, useState } from "react";
import { layOut, shapeOf } from "./layout";
import type { Direction, Placed } from "./places";
import type { Scene } from "./scene";

interface Found {
  readonly shape: string;
  readonly placed?: Placed;
  readonly problem?: string;
}

export interface Placing {
  readonly placed: Placed | undefined;
  readonly problem: string | undefined;
  /** Of which scene these places are: a new one is looked at as a whole. */
  readonly shape: string;
}

export function usePlaced(scene: Scene, direction: Direction): Placing {
  const shape = useMemo(() => shapeOf(scene, direction), [scene, direction]);
  const [found, setFound] = useState<Found>({ shape: "" });
  useEffect(() => {
    let wanted = true;
    layOut(scene, direction).then(
      (placed) => wanted && setFound({ shape, placed }),
      (problem: unknown) => wanted && setFound({ shape, problem: String(problem) }),
    );
    return () => {
      wanted = false;
    };
    // the shape says all that places depend on
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape]);
  return { placed: found.placed, problem: found.problem, shape: found.shape };
}
