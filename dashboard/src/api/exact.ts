// JSON whose whole numbers keep their digits: ids and amounts may have more than a number of JavaScript holds.

interface Exact {
  readonly rawJSON?: (text: string) => unknown;
}
type Context = { readonly source?: string } | undefined;

const WHOLE = /^-?\d+$/;
const LONG = /\d{16}/;

/** Return what a text says. A whole number that would be rounded stays as it is written, where the browser knows how. */
export function parseExact(text: string): unknown {
  if (!LONG.test(text)) return JSON.parse(text);
  const keep = (_: string, value: unknown, context?: Context): unknown =>
    typeof value === "number" && context?.source !== undefined && WHOLE.test(context.source) ? exactly(value, context.source) : value;
  return JSON.parse(text, keep);
}

/** Return a number, or where it would be another one the digits, which JSON.stringify writes as they are. */
export function exactly(value: number, digits: string): unknown {
  const { rawJSON } = JSON as unknown as Exact;
  return Number.isSafeInteger(value) || !rawJSON ? value : rawJSON.call(JSON, digits);
}

/** Return the same with numbers of JavaScript, for who judges them. */
export const rounded = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
