import { Validator } from "@cfworker/json-schema";
import type { Schema } from "@cfworker/json-schema";
import { expect, test } from "vitest";
import { problemsFound, problemsOf } from "../src/form/problems";
import { filledIn, firstValue, parseSchema } from "../src/form/schema";

const SCHEMA: Schema = {
  type: "object",
  required: ["approved", "items"],
  properties: {
    approved: { type: "boolean" },
    note: { type: "string", maxLength: 500 },
    tier: { enum: ["a", "b"], default: "a" },
    items: { type: "array", items: { type: "object", required: ["sku"], properties: { sku: { type: "string", minLength: 2 } } } },
    extra: { type: "object", properties: { deep: { type: "number" } } },
  },
};

test("each part of a schema is a field, and what fits none is JSON", () => {
  const { field } = parseSchema(SCHEMA);
  expect(field.kind === "object" && field.members.map((member) => member.field.kind)).toEqual(["boolean", "text", "choice", "list", "object"]);
  for (const schema of [undefined, true, 7, { $ref: "#/$defs/x" }, { anyOf: [{ type: "string" }, { type: "number" }] }, { type: ["string", "null"] }]) {
    expect(parseSchema(schema).field.kind).toBe("json");
  }
});

test("what nobody filled in is not sent, defaults are", () => {
  const described = parseSchema(SCHEMA);
  expect(filledIn(firstValue(described), described)).toEqual({ tier: "a", items: [] });
  expect(filledIn({ approved: false, extra: { deep: 1 }, items: [{ sku: "x" }] }, described)).toEqual({ approved: false, extra: { deep: 1 }, items: [{ sku: "x" }] });
});

test("what the check finds stands at the innermost path, what is missing at its own", () => {
  const judged = new Validator(SCHEMA, "2020-12", false).validate({ items: [{ sku: "lamp" }, { sku: "x" }, {}] });
  expect([...problemsFound(judged.errors).keys()].toSorted()).toEqual(["payload.approved", "payload.items[1].sku", "payload.items[2].sku"]);
});

test("lines of the server stand at the path that they name", () => {
  const found = problemsOf(['payload.items[0].sku: \'x\' is shorter than 2 characters', 'payload: "approved" is a required property', "payload['a b']: wrong", "and 3 more"]);
  expect(Object.fromEntries(found)).toEqual({
    "payload.items[0].sku": ["'x' is shorter than 2 characters"],
    "payload.approved": ["This is needed."],
    "payload['a b']": ["wrong"],
    payload: ["and 3 more"],
  });
});

test("numbers are sent as they were typed, and what is none is left to the check", () => {
  const described = parseSchema({ type: "object", properties: { amount: { type: "number" } } });
  for (const [typed, sent] of [["1.50", "1.5"], ["-3", "-3"], ["1e3", "1000"], ["1,5", '"1,5"'], ["0x10", '"0x10"'], ["007", '"007"'], [" 2 ", "2"]]) {
    expect(JSON.stringify(filledIn({ amount: typed }, described))).toBe(`{"amount":${sent}}`);
  }
});
