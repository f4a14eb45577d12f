// What each phase looks like: a tone, an icon, words. One table, so that a list, a node and a bar never disagree.
// In: a phase as the API says it. Out: how it is shown; a phase that is not known is shown as it is written.

export type Tone = "neutral" | "active" | "good" | "bad" | "waiting" | "back";

export type IconName =
  | "pending" | "running" | "retrying" | "waiting" | "good" | "skipped" | "ignored" | "bad" | "undoing" | "undone"
  | "undone-failed" | "stopped" | "suspended" | "recovering" | "halted";

export interface PhaseLook {
  readonly tone: Tone;
  readonly icon: IconName;
  readonly label: string;
}

const look = (tone: Tone, icon: IconName, label: string): PhaseLook => ({ tone, icon, label });

const RUN: Readonly<Record<string, PhaseLook>> = {
  Pending: look("neutral", "pending", "Pending"),
  Running: look("active", "running", "Running"),
  Paused: look("waiting", "waiting", "Waiting for a signal"),
  Suspended: look("neutral", "suspended", "Suspended"),
  RollingBack: look("back", "undoing", "Rolling back"),
  Recovering: look("waiting", "recovering", "Recovering"),
  Succeeded: look("good", "good", "Succeeded"),
  Failed: look("bad", "bad", "Failed"),
  Cancelled: look("neutral", "stopped", "Cancelled"),
  Halted: look("neutral", "halted", "Halted"),
  Undone: look("back", "undone", "Undone"),
};

const STEP: Readonly<Record<string, PhaseLook>> = {
  Pending: look("neutral", "pending", "Not started"),
  Running: look("active", "running", "Running"),
  Retrying: look("waiting", "retrying", "Retrying"),
  Waiting: look("waiting", "waiting", "Waiting for a signal"),
  Succeeded: look("good", "good", "Succeeded"),
  Skipped: look("neutral", "skipped", "Skipped"),
  Ignored: look("waiting", "ignored", "Failed, ignored"),
  Failed: look("bad", "bad", "Failed"),
  Compensating: look("back", "undoing", "Cleaning up"),
  Compensated: look("back", "undone", "Failed, cleaned up"),
  Undoing: look("back", "undoing", "Undoing"),
  Undone: look("back", "undone", "Undone"),
  RollbackFailed: look("bad", "undone-failed", "Could not be undone"),
  Cancelled: look("neutral", "stopped", "Cancelled"),
  Stopped: look("neutral", "stopped", "Stopped"),
  Lost: look("bad", "bad", "Lost"),
};

export const RUN_PHASES = Object.keys(RUN);
const ENDED: ReadonlySet<string> = new Set(["Succeeded", "Failed", "Cancelled", "Halted", "Undone"]);
const LIVE_STEPS: ReadonlySet<string> = new Set(["Running", "Retrying", "Waiting", "Compensating", "Undoing"]);
const REVERSED: ReadonlySet<string> = new Set(["Compensating", "Compensated", "Undoing", "Undone", "RollbackFailed"]);

export const runLook = (phase: string): PhaseLook => RUN[phase] ?? look("neutral", "pending", phase || "Pending");
export const stepLook = (phase: string | undefined): PhaseLook =>
  STEP[phase ?? "Pending"] ?? look("neutral", "pending", phase ?? "Not started");

/** Whether nothing more happens to a run unless somebody asks for it. */
export const isOver = (phase: string): boolean => ENDED.has(phase);

/** Whether something goes on, or waits, in a step now. */
export const isLive = (phase: string | undefined): boolean => phase !== undefined && LIVE_STEPS.has(phase);

/** Whether a step was, is being, or could not be taken back. */
export const isReversed = (phase: string | undefined): boolean => phase !== undefined && REVERSED.has(phase);

/** Whether the person who looks should see this step first. The less, the more. */
export function urgency(phase: string | undefined): number {
  const order = ["RollbackFailed", "Failed", "Compensating", "Undoing", "Waiting", "Retrying", "Running", "Compensated"];
  const place = order.indexOf(phase ?? "");
  return place < 0 ? order.length : place;
}
