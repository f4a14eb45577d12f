// A phase as a word with an icon.
import { memo } from "react";
import type { ReactNode } from "react";
import { runLook, stepLook } from "../words/phases";
import { Icon } from "./Icon";

interface Props {
  readonly phase: string | undefined;
  readonly of?: "run" | "step";
  readonly large?: boolean;
}

export const PhaseBadge = memo(function PhaseBadge({ phase, of = "run", large = false }: Props): ReactNode {
  const look = of === "run" ? runLook(phase ?? "") : stepLook(phase);
  return (
    <span className={`badge tone-${look.tone}${large ? " large" : ""}`}>
      <Icon name={look.icon} />{look.label}
    </span>
  );
});
