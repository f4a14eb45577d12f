// What happened to a run, in a sentence or two: the first thing that anybody reads.
// In: a run as the API has it. Out: pieces of text, those that name a step marked, so that a page can link them.
// Never here: HTML, or a clock.
import type { RunStatus } from "../api/types";
import { counted, ordinal } from "./amounts";

export type Piece = string | { readonly step: string; readonly label: string };

const MOST_NAMED = 8;

/** Return the story of a run. */
export function storyOf(status: RunStatus): Piece[] {
  switch (status.phase ?? "Pending") {
    case "Pending": return [`Not started: ${status.message ?? "the operator has not seen it yet"}.`.replace(/\.+$/, ".")];
    case "Running": return going(status);
    case "Paused": return paused(status);
    case "RollingBack": return ["Rolling back: ", ...cause(status), ...reversedSoFar(status)];
    case "Succeeded": return succeeded(status);
    case "Failed": return ["Failed: ", ...cause(status), ...reversed(status)];
    case "Cancelled": return [sentence("Cancelled", status.message, "cancelled on request"), ...kept(status)];
    case "Halted": return [sentence("Halted on purpose", status.message, "halted by a step"), ...kept(status)];
    case "Undone": return [sentence("Undone", bare(status.message), "undone on request"), ...reversed(status)];
    default: return [sentence(status.phase ?? "", status.message, "")];
  }
}

/** Return the same as plain text: for a title, or for whoever cannot see. */
export const plainStory = (pieces: readonly Piece[]): string =>
  pieces.map((piece) => (typeof piece === "string" ? piece : piece.label)).join("");

const named = (path: string, suffix = ""): Piece => ({ step: path, label: path + suffix });

function going(status: RunStatus): Piece[] {
  const running = steps(status, "Running").filter((path) => !hasInner(status, path));
  const retrying = (status.steps ?? []).filter((step) => step.phase === "Retrying");
  const pieces: Piece[] = running.length > 0 ? ["Running ", ...listed(running), "."] : ["Running."];
  for (const step of retrying.slice(0, 2)) {
    pieces.push(" Retrying ", named(step.name), step.failure ? ` after: ${ended(step.failure.message)}` : ".");
  }
  const stuck = (status.steps ?? []).find((step) => step.reason);
  if (stuck?.reason) pieces.push(" ", named(stuck.name), ` cannot start: ${ended(stuck.reason)}`);
  if (status.interrupts?.length) pieces.push(" Waiting for a signal: ", ...listed(waits(status)), ".");
  return pieces;
}

function paused(status: RunStatus): Piece[] {
  const waiting = waits(status);
  if (waiting.length === 0) return [sentence("Waiting for a signal", status.message, "")];
  return ["Waiting for a signal: ", ...listed(waiting), ". Nothing else can go on before it comes."];
}

function succeeded(status: RunStatus): Piece[] {
  const ignored = steps(status, "Ignored");
  const skipped = steps(status, "Skipped");
  const taken = status.takenFrom;
  if (taken) return [`Succeeded with the outcome of run ${taken.name}, which had the same business key.`];
  const pieces: Piece[] = [`Succeeded: ${counted((status.steps ?? []).length + (status.stepsOmitted ?? 0), "step")}`];
  if (skipped.length > 0) pieces.push(", skipped: ", ...listed(skipped));
  if (ignored.length > 0) pieces.push(", failed and ignored: ", ...listed(ignored));
  return [...pieces, "."];
}

function cause(status: RunStatus): Piece[] {
  const failure = status.failure;
  if (!failure) return [ended(bare(status.message) || "as somebody asked")];
  const attempts = (failure.attempts ?? 0) > 1 ? ` (after ${failure.attempts ?? 0} attempts)` : "";
  const words = attempts ? `${failure.message.replace(/\.+$/, "")}${attempts}.` : ended(failure.message);
  return failure.step ? [named(failure.step), `: ${words}`] : [words];
}

function reversedSoFar(status: RunStatus): Piece[] {
  const now = [...steps(status, "Compensating"), ...steps(status, "Undoing")].filter((path) => !hasInner(status, path));
  const pieces: Piece[] = now.length > 0 ? [" Undoing now: ", ...listed(now), "."] : [];
  const undone = status.rollback?.undone ?? [];
  return undone.length > 0 ? [...pieces, " Undone so far: ", ...inOrder(undone), "."] : pieces;
}

function reversed(status: RunStatus): Piece[] {
  const undone = status.rollback?.undone ?? [];
  const left = [...new Set((status.rollback?.failures ?? []).map((failure) => failure.step))];
  const pieces: Piece[] = [];
  if (undone.length > 0) pieces.push(" Rolled back: ", ...inOrder(undone, new Set(steps(status, "Compensated"))), ".");
  if (left.length > 0) pieces.push(" Not rolled back, look at: ", ...listed(left), ".");
  if (undone.length > 0 && status.rollback?.state === "Complete" && status.phase === "Failed") pieces.push(" The rollback is complete.");
  if (pieces.length === 0 && status.rollback?.state === "NotNeeded") pieces.push(" Nothing had to be rolled back.");
  return pieces;
}

const kept = (status: RunStatus): Piece[] =>
  status.rollback?.state === "NotNeeded" ? [" What was done is kept."] : reversed(status);

const steps = (status: RunStatus, phase: string): string[] =>
  (status.steps ?? []).filter((step) => step.phase === phase).map((step) => step.name);

const waits = (status: RunStatus): string[] => (status.interrupts ?? []).map((one) => one.step);

/** Whether one of the steps inside this one goes on too: the story names that one. */
const hasInner = (status: RunStatus, path: string): boolean =>
  (status.steps ?? []).some((step) =>
    ["Running", "Retrying", "Undoing", "Compensating", "Waiting"].includes(step.phase) &&
    (step.name.startsWith(`${path}/`) || step.name.startsWith(`${path}[`)));

const listed = (paths: readonly string[]): Piece[] => join(paths.slice(0, MOST_NAMED).map((path) => named(path)), paths);

const NOBODY: ReadonlySet<string> = new Set();

/** Name steps with their places. What failed was not done and undone: what it left behind was cleaned up. */
const inOrder = (paths: readonly string[], failed = NOBODY): Piece[] =>
  join(paths.slice(0, MOST_NAMED).map((path, index) => named(path, ` (${ordinal(index + 1)}${failed.has(path) ? ", cleaned up" : ""})`)), paths);

function join(shown: readonly Piece[], all: readonly string[]): Piece[] {
  const pieces = shown.flatMap((piece, index): Piece[] => (index === 0 ? [piece] : [", ", piece]));
  return all.length > shown.length ? [...pieces, ` and ${all.length - shown.length} more`] : pieces;
}

const ended = (words: string): string => (/[.!?…]$/.test(words.trim()) ? words.trim() : `${words.trim()}.`);

/** Return a message of the operator without what it says of the rollback, which the story says better. */
const bare = (message: string | undefined): string =>
  (message ?? "").replace(/\s*\((rolled back|rollback incomplete): [^)]*\)\s*$/, "").trim();

function sentence(lead: string, message: string | undefined, otherwise: string): string {
  const words = bare(message);
  return words && words !== otherwise ? `${lead}: ${ended(words)}` : `${lead}.`;
}
