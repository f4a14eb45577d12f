// A JSON Schema as fields that a person fills in. In: a schema, as somebody wrote it. Out: a field; what no form fits is
// a field for JSON. Pure, and total: a schema may be anything.
import { parseExact } from "../api/exact";

export type Field =
  | { readonly kind: "text"; readonly lines: boolean; readonly format: string | undefined }
  | { readonly kind: "number"; readonly whole: boolean; readonly min: number | undefined; readonly max: number | undefined }
  | { readonly kind: "boolean" }
  | { readonly kind: "choice"; readonly options: readonly unknown[]; readonly labels: readonly string[] }
  | { readonly kind: "list"; readonly item: Described; readonly most: number | undefined }
  | { readonly kind: "object"; readonly members: readonly Member[] }
  | { readonly kind: "json" };

export interface Described {
  readonly field: Field;
  readonly title: string | undefined;
  readonly description: string | undefined;
  readonly otherwise: unknown;
}

export interface Member extends Described {
  readonly name: string;
  readonly required: boolean;
}

const MOST_DEEP = 6;
const LONG_TEXT = 120;

/** Return what is to be filled in. */
export function parseSchema(schema: unknown, deep = 0): Described {
  const found = asObject(schema);
  return {
    field: found && deep < MOST_DEEP ? fieldOf(found, deep) : { kind: "json" },
    title: textAt(found, "title"),
    description: textAt(found, "description"),
    otherwise: found?.["default"],
  };
}

function fieldOf(schema: Readonly<Record<string, unknown>>, deep: number): Field {
  if (Array.isArray(schema["enum"])) return choice(schema["enum"], schema["enum"].map(asLabel));
  if ("const" in schema) return choice([schema["const"]], [asLabel(schema["const"])]);
  const oneOf = constants(schema["oneOf"] ?? schema["anyOf"]);
  if (oneOf) return oneOf;
  if (["$ref", "allOf", "oneOf", "anyOf", "if", "not", "patternProperties"].some((keyword) => keyword in schema)) return { kind: "json" };
  switch (schema["type"]) {
    case "boolean": return { kind: "boolean" };
    case "string": return textField(schema);
    case "integer": case "number": return { kind: "number", whole: schema["type"] === "integer", min: numberAt(schema, "minimum"), max: numberAt(schema, "maximum") };
    case "array": return "prefixItems" in schema ? { kind: "json" } : { kind: "list", item: parseSchema(schema["items"], deep + 1), most: numberAt(schema, "maxItems") };
    case "object": return objectField(schema, deep);
    default: return { kind: "json" };
  }
}

function objectField(schema: Readonly<Record<string, unknown>>, deep: number): Field {
  const properties = asObject(schema["properties"]);
  if (!properties || Object.keys(properties).length === 0) return { kind: "json" };
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  const members = Object.entries(properties).map(([name, member]) => ({ ...parseSchema(member, deep + 1), name, required: required.has(name) }));
  return { kind: "object", members };
}

function textField(schema: Readonly<Record<string, unknown>>): Field {
  const longest = numberAt(schema, "maxLength");
  const format = textAt(schema, "format");
  return { kind: "text", lines: format === undefined && longest !== undefined && longest > LONG_TEXT, format };
}

function constants(options: unknown): Field | undefined {
  if (!Array.isArray(options) || options.length === 0) return undefined;
  const found = options.map(asObject);
  if (!found.every((one) => one !== undefined && "const" in one)) return undefined;
  const values = found.map((one) => one?.["const"]);
  return choice(values, found.map((one, index) => textAt(one, "title") ?? asLabel(values[index])));
}

const choice = (options: readonly unknown[], labels: readonly string[]): Field => ({ kind: "choice", options, labels });
const asLabel = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

function textAt(found: Readonly<Record<string, unknown>> | undefined, name: string): string | undefined {
  const value = found?.[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function numberAt(found: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = found[name];
  return typeof value === "number" ? value : undefined;
}

/** Return what a form begins with: defaults, and the objects around the fields. Undefined: not filled in. */
export function firstValue(described: Described): unknown {
  if (described.otherwise !== undefined) return described.otherwise;
  if (described.field.kind === "list") return [];
  if (described.field.kind !== "object") return undefined;
  return Object.fromEntries(described.field.members.map((member) => [member.name, firstValue(member)]));
}

/** Return what is sent: without what nobody filled in. */
export function filledIn(value: unknown, described: Described): unknown {
  if (described.field.kind === "list" && Array.isArray(value)) {
    const { item } = described.field;
    return value.map((one) => filledIn(one, item));
  }
  if (described.field.kind === "number" && typeof value === "string") return numberOf(value);
  if (described.field.kind !== "object") return value;
  const said = asObject(value) ?? {};
  const members = described.field.members.map((member) => [member, filledIn(said[member.name], member)] as const);
  const kept = members.filter(([member, one]) => one !== undefined && (member.required || !isNothing(one)));
  return Object.fromEntries(kept.map(([member, one]) => [member.name, one]));
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i;

/** Return the number that a text says, as JSON writes numbers (`1.50` is one); what is none stays text, and the check says so. */
function numberOf(text: string): unknown {
  const trimmed = text.trim();
  if (!NUMBER.test(trimmed) || !Number.isFinite(Number(trimmed))) return text;
  return parseExact(trimmed);
}

/** Whether an optional list or object has nothing in it. */
const isNothing = (value: unknown): boolean =>
  Array.isArray(value) ? value.length === 0 : asObject(value) !== undefined && Object.keys(value as object).length === 0;
