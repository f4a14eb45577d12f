import { expect, test } from "vitest";
import { EventParser } from "../src/api/events";
import type { RunItem } from "../src/api/types";
import { changedQuery, parseRoute, runPath } from "../src/app/routes";
import { parseProblem } from "../src/reactors/problems";
import { renderYaml } from "../src/reactors/yaml";
import { matches, parseFilters } from "../src/runs/filters";
import { withoutRun, withPage, withRun } from "../src/runs/list";
import type { Listed } from "../src/runs/list";
import { withText } from "../src/step/useLog";
import { rowsOf } from "../src/timeline/spans";

const run = (name: string, second: number, phase = "Running"): RunItem =>
  ({ namespace: "shop", name, uid: `uid-${name}`, reactor: "order", phase, createdAt: `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`, progress: "", message: "Card Refused", waiting: 0 });
const ALL = parseFilters(new URLSearchParams());
const names = (listed: { runs: readonly RunItem[] }): string => listed.runs.map((one) => one.name).join(" ");

test("a run that is told takes its place: newest first, once, as long as it is one of those asked for", () => {
  let listed: Listed = { runs: [run("c", 3), run("a", 1)], next: undefined };
  listed = withRun(listed, run("b", 2), ALL);
  expect(names(listed)).toBe("c b a");
  expect(names(withRun(listed, run("b", 2, "Failed"), ALL))).toBe("c b a");
  expect(names(withRun(listed, run("b", 2, "Failed"), parseFilters(new URLSearchParams("phase=Running"))))).toBe("c a");
  expect(names(withRun({ ...listed, next: "more" }, run("z", 0), ALL))).toBe("c b a");
  expect(names(withRun(listed, { ...run("b", 9), uid: "another" }, ALL))).toBe("b c a");
  expect(names(withoutRun(listed, run("c", 3)))).toBe("b a");
  expect(names(withPage(listed, [run("a", 1), run("0", 0)], undefined))).toBe("c b a 0");
});

test("filters are read from the address, and what makes no sense in them is left away", () => {
  const filters = parseFilters(new URLSearchParams("phase=Failed&phase=Nonsense&text=refused&after=never&before=2026-02-01T00:00Z"));
  expect(filters.phases).toEqual(["Failed"]);
  expect(filters.createdAfter).toBeUndefined();
  expect(matches(run("a", 1, "Failed"), filters)).toBe(true);
  expect(matches(run("a", 1), filters)).toBe(false);
});

test("addresses name views, also of runs with dots", () => {
  expect(parseRoute(runPath("shop", "order.7"))).toEqual({ view: "run", namespace: "shop", name: "order.7" });
  expect(parseRoute("/dashboard/")).toEqual({ view: "runs" });
  expect(parseRoute("/dashboard/runs/%zz/x")).toEqual({ view: "run", namespace: "%zz", name: "x" });
  expect(parseRoute("/dashboard/other")).toEqual({ view: "nowhere" });
  expect(changedQuery(new URLSearchParams("a=1&phase=X"), { phase: ["Y", "Z"], a: undefined })).toBe("?phase=Y&phase=Z");
});

test("events come in pieces", () => {
  const parser = new EventParser();
  expect(parser.push("retry: 1000\n\nid: x-1\nevent: put\nda")).toEqual([]);
  expect(parser.push('ta: {"a":1}\n\n: nothing new\n\nid: x-2\nevent: ready\ndata: {}\n')).toEqual([{ id: "x-1", name: "put", data: '{"a":1}' }]);
  expect(parser.push("\n")).toEqual([{ id: "x-2", name: "ready", data: "{}" }]);
});

test("a problem is marked at its line, or at the nearest one around", async () => {
  const spec = { steps: [{ name: "a", run: { python: { handler: "x:y" } }, undoo: {} }] };
  const problems = ["spec.steps[0].undoo: unknown field", "spec.steps[0].run.python.timeout: is missing", "all is wrong"].map(parseProblem);
  const lines = await renderYaml({ kind: "Reactor", spec }, problems);
  const marked = lines.filter((line) => line.problems.length > 0).map((line) => `${line.text.trim()} < ${line.problems.join()}`);
  expect(marked).toEqual(["kind: Reactor < all is wrong", "python: < is missing", "undoo: {} < unknown field"]);
});

test("attempts and ways back are bars; what goes on has no end", () => {
  const item = (number: number, path: string, to: string, attempt = 1) =>
    ({ number, at: `2026-01-01T00:00:${String(number).padStart(2, "0")}Z`, path, from: "", to, attempt, round: 1, cause: { type: "X", text: "" } });
  const rows = rowsOf([item(1, "", "Running"), item(2, "a", "Running"), item(3, "a", "Retrying"), item(4, "a", "Running", 2), item(5, "a", "Succeeded"), item(6, "a", "Undoing"), item(7, "b", "Running")]);
  expect(rows.map((row) => `${row.path}: ${row.spans.map((span) => `${span.phase} ${span.tone} ${span.to === undefined ? "…" : "|"}`).join(", ")}`))
    .toEqual(["a: Running bad |, Retrying waiting |, Running good |, Undoing back …", "b: Running active …"]);
});

test("a log keeps its end", () => {
  const start = { lines: ["a"], kind: "live", ended: false, dropped: 0, problem: undefined } as const;
  expect(withText(start, "b\nc\n").lines).toEqual(["ab", "c", ""]);
  const long = withText(start, "x\n".repeat(6000));
  expect([long.lines.length, long.dropped]).toEqual([5000, 1001]);
});
