// What is wrong with a payload, beside the field that it is about. In: lines of the server, findings of the check here.
// Out: words by path (`payload.items[0].sku`). Pure.

/** Words by path. Those of the whole are at `payload`. */
export type Problems = ReadonlyMap<string, readonly string[]>;

export const BASE = "payload";
export const NO_PROBLEMS: Problems = new Map();
const PLAIN = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** Return the path of a member, as the server writes it. */
export const memberPath = (path: string, key: string | number): string =>
  typeof key === "number" ? `${path}[${key}]` : PLAIN.test(key) ? `${path}.${key}` : `${path}['${key}']`;

/** Return the lines of the server by path; a line without one is about the whole. */
export function problemsOf(lines: readonly string[]): Problems {
  const found = new Map<string, string[]>();
  for (const line of lines) {
    const parts = /^(payload(?:\.[A-Za-z_][\w-]*|\[\d+\]|\['[^']*'\])*): (.*)$/s.exec(line);
    add(found, parts?.[1] ?? BASE, parts?.[2] ?? line);
  }
  return moved(found);
}

interface Finding {
  readonly instanceLocation: string;
  readonly keyword: string;
  readonly error: string;
}

const AROUND: ReadonlySet<string> = new Set(["properties", "items", "prefixItems", "$ref", "additionalProperties"]);

/** Return what the check here found by path, the innermost alone. */
export function problemsFound(findings: readonly Finding[]): Problems {
  const found = new Map<string, string[]>();
  for (const { instanceLocation, keyword, error } of findings) {
    if (AROUND.has(keyword) && findings.some((other) => other.instanceLocation.startsWith(`${instanceLocation}/`))) continue;
    add(found, pathAt(instanceLocation), error);
  }
  return moved(found);
}

/** Return the path of a pointer: `#/items/0/sku`. */
function pathAt(pointer: string): string {
  const keys = pointer.replace(/^#?\/?/, "").split("/").filter(Boolean);
  return keys.map((key) => decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((path, key) => memberPath(path, /^\d+$/.test(key) ? Number(key) : key), BASE);
}

function add(found: Map<string, string[]>, path: string, words: string): void {
  const said = found.get(path);
  if (!said) found.set(path, [words]);
  else if (!said.includes(words)) said.push(words);
}

/** Return problems with those of a member that is missing beside that member. */
function moved(found: ReadonlyMap<string, readonly string[]>): Problems {
  const result = new Map<string, string[]>();
  for (const [path, lines] of found) {
    for (const words of lines) {
      const missing = /required property\s+["']([^"']+)["']|["']([^"']+)["'] is a required property/.exec(words);
      const name = missing?.[1] ?? missing?.[2];
      if (name === undefined) add(result, path, words);
      else add(result, memberPath(path, name), "This is needed.");
    }
  }
  return result;
}
