// What may be asked of a run in each phase, as docs/phases.md has it. What speaks against it all the same the run says.
import type { Action } from "../api/requests";
import type { IconName } from "../ui/Icon";

const GOING = ["Pending", "Running", "Paused", "Suspended", "RollingBack", "Recovering"];
const POSSIBLE: Readonly<Record<Exclude<Action, "resume" | "unsuspend">, readonly string[]>> = {
  cancel: GOING,
  undo: ["Running", "Paused", "Suspended", "Recovering", "Succeeded", "Failed", "Cancelled", "Halted"],
  retry: ["Recovering", "Failed"],
  skip: ["Running", "Paused", "Suspended", "Failed"],
  suspend: ["Pending", "Running", "Paused", "RollingBack", "Recovering"],
};

/** Return what can be asked of a run as a whole, what is likeliest first. What was rolled back has nothing to be undone. */
export function possibleOf(phase: string, rollback?: string): Action[] {
  const actions: Action[] = [];
  if (phase === "Suspended") actions.push("unsuspend");
  for (const action of ["retry", "suspend", "undo", "cancel"] as const) {
    const isMoot = action === "undo" && phase === "Failed" && rollback === "Complete";
    if (POSSIBLE[action].includes(phase) && !isMoot) actions.push(action);
  }
  return actions;
}

const SKIPPED_FROM = ["Failed", "Undone", "Compensated", "RollbackFailed", "Retrying", "Waiting", "Cancelled"];

/** Whether a step can be given a value instead of being run. */
export const mayBeSkipped = (phase: string, step: string | undefined): boolean =>
  POSSIBLE.skip.includes(phase) && step !== undefined && SKIPPED_FROM.includes(step);

export interface ActionWords {
  readonly verb: string;
  readonly icon: IconName;
  readonly question: string;
  readonly effect: string;
  readonly danger: boolean;
}

const words = (verb: string, icon: IconName, question: string, effect: string, danger = false): ActionWords =>
  ({ verb, icon, question, effect, danger });

export const ACTION_WORDS: Readonly<Record<Action, ActionWords>> = {
  cancel: words("Cancel", "cancel", "Cancel this run?", "It stops and keeps everything: what is in flight ends, nothing is undone.", true),
  undo: words("Undo", "undo", "Undo this run?", "Everything that it did is taken back, newest first. It ends as Undone.", true),
  retry: words("Retry", "retry", "Retry this run?", "Steps that failed or were taken back, and all that depend on them, run again. The others keep their results."),
  skip: words("Skip", "skip", "Give this step a value instead?", "The step counts as succeeded with this value, and the run goes on."),
  suspend: words("Suspend", "suspend", "Suspend this run?", "What is in flight ends. Nothing new starts and nothing is rolled back until it goes on."),
  unsuspend: words("Go on", "resume", "Let this run go on?", "It goes on where it stood."),
  resume: words("Answer", "waiting", "Send the payload?", "The step succeeds with it, and the run goes on."),
};
