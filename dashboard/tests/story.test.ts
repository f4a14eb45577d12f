import { expect, test } from "vitest";
import type { RunStatus } from "../src/api/types";
import { ordinal, renderBytes } from "../src/words/amounts";
import { plainStory, storyOf } from "../src/words/story";
import { axisMarks, renderDistance, renderDuration } from "../src/words/times";

const story = (status: RunStatus): string => plainStory(storyOf(status));
const step = (name: string, phase: string) => ({ name, phase }) as NonNullable<RunStatus["steps"]>[number];
const refused = { step: "charge", kind: "Error", message: "card refused" } as NonNullable<RunStatus["failure"]>;

test("a failed run names what failed, why, and what was undone in which order", () => {
  const rollback = { state: "Complete", undone: ["reserve", "prepare"], failures: [] };
  expect(story({ phase: "Failed", failure: refused, rollback })).toBe(
    "Failed: charge: card refused. Rolled back: reserve (1st), prepare (2nd). The rollback is complete.",
  );
});

test("what failed was cleaned up, not undone", () => {
  const rollback = { state: "Complete", undone: ["charge", "reserve"], failures: [] };
  const steps = [step("reserve", "Undone"), step("charge", "Compensated")];
  expect(story({ phase: "Failed", failure: refused, rollback, steps })).toBe(
    "Failed: charge: card refused. Rolled back: charge (1st, cleaned up), reserve (2nd). The rollback is complete.",
  );
});

test("what could not be undone is named last", () => {
  const failures = [{ step: "reserve", kind: "Error" as const, message: "away" }];
  expect(story({ phase: "Failed", failure: { ...refused, attempts: 3 }, rollback: { state: "Incomplete", undone: ["prepare"], failures } })).toBe(
    "Failed: charge: card refused (after 3 attempts). Rolled back: prepare (1st). Not rolled back, look at: reserve.",
  );
});

test("of steps inside others the innermost are named", () => {
  expect(story({ phase: "Running", steps: [step("pack", "Running"), step("pack/box", "Running"), step("pay", "Succeeded")] })).toBe("Running pack/box.");
});

test("a run that waits says for what", () => {
  expect(story({ phase: "Paused", interrupts: [{ step: "approve" }] })).toBe("Waiting for a signal: approve. Nothing else can go on before it comes.");
});

test("a run that was cancelled says that it keeps what it did", () => {
  expect(story({ phase: "Cancelled", message: "wrong customer", rollback: { state: "NotNeeded" } })).toBe("Cancelled: wrong customer. What was done is kept.");
});

test("a run of which nothing is known is not started", () => {
  expect(story({})).toBe("Not started: the operator has not seen it yet.");
});

test("many steps are cut", () => {
  const many = Array.from({ length: 20 }, (_, index) => step(`s${index}`, "Running"));
  expect(story({ phase: "Running", steps: many })).toMatch(/s7 and 12 more\.$/);
});

test("numbers and times are said shortly", () => {
  expect([1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111].map(ordinal).join(" ")).toBe("1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th");
  expect([0, 1023, 1024, 1536, 1048576].map(renderBytes).join(" ")).toBe("0 B 1023 B 1 KiB 1.5 KiB 1 MiB");
  expect([40, 3200, 45_000, 245_000, 7_380_000, 273_600_000].map(renderDuration).join("; ")).toBe("40 ms; 3.2 s; 45 s; 4 min 5 s; 2 h 3 min; 3 d 4 h");
  expect(renderDistance(0, 7_200_000)).toBe("2 h ago");
  expect(renderDistance(7_200_000, 0)).toBe("in 2 h");
  expect(axisMarks(55, 6)).toEqual([0, 10, 20, 30, 40, 50]);
});
