// How many steps are in which phase, as one bar and in words.
import type { ReactNode } from "react";
import type { RunStatus } from "../api/types";
import { renderCount } from "../words/amounts";
import { stepLook } from "../words/phases";
import type { Tone } from "../words/phases";
import { Icon } from "../ui/Icon";

interface Props {
  readonly status: RunStatus;
  readonly nodes: number | undefined;
}

const ORDER = ["Succeeded", "Skipped", "Ignored", "Running", "Retrying", "Waiting", "Compensating", "Undoing", "Undone", "Compensated", "Failed", "RollbackFailed", "Cancelled", "Pending"];

/** What failed counts as that here, also where it was cleaned up since. */
const toneOf = (phase: string): Tone => (phase === "Compensated" ? "bad" : stepLook(phase).tone);

export function PhaseBar({ status }: Props): ReactNode {
  const counts = new Map<string, number>();
  for (const step of status.steps ?? []) counts.set(step.phase, (counts.get(step.phase) ?? 0) + 1);
  const all = (status.steps ?? []).length;
  if (all === 0) return null;
  const shown = [...counts].toSorted(([one], [other]) => ORDER.indexOf(one) - ORDER.indexOf(other));
  const before = shown.map((_, index) => shown.slice(0, index).reduce((sum, [, count]) => sum + count, 0));
  return (
    <div className="phase-bar">
      <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        {shown.map(([phase, count], index) => (
          <rect key={phase} className={`tone-${toneOf(phase)} phase-${phase}`} x={((before[index] ?? 0) / all) * 100} width={(count / all) * 100} height="4" />
        ))}
      </svg>
      <ul aria-label="Steps by phase">
        {shown.map(([phase, count]) => (
          <li key={phase} className={`tone-${toneOf(phase)}`}><Icon name={stepLook(phase).icon} /><b>{renderCount(count)}</b> {stepLook(phase).label.toLowerCase()}</li>
        ))}
        {(status.stepsOmitted ?? 0) > 0 && <li className="hint">{renderCount(status.stepsOmitted ?? 0)} more in the graph</li>}
      </ul>
    </div>
  );
}
