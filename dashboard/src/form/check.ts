// Judges a payload before it is sent, with a library that is loaded when the first one is. What the server says counts.
import { rounded } from "../api/exact";
import { NO_PROBLEMS, problemsFound } from "./problems";
import type { Problems } from "./problems";

/** Return what is wrong with a payload. A schema that cannot be judged here is left to the server. */
export async function checkPayload(payload: unknown, schema: unknown): Promise<Problems> {
  if (typeof schema !== "object" || schema === null) return NO_PROBLEMS;
  const { Validator } = await import("@cfworker/json-schema");
  try {
    const judged = new Validator(schema, "2020-12", false).validate(rounded(payload) ?? null);
    return judged.valid ? NO_PROBLEMS : problemsFound(judged.errors);
  } catch {
    return NO_PROBLEMS; // a $ref that is only known there, a pattern that browsers write otherwise
  }
}
