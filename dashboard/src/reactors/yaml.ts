// A definition as YAML, and the lines that its problems are about. The library is loaded when it is first needed.
import type { SpecProblem } from "./problems";

export interface YamlLine {
  readonly text: string;
  readonly problems: readonly string[];
}

/** Return the lines of a manifest, with the words of each problem at the line it is about, or the nearest one around. */
export async function renderYaml(manifest: Readonly<Record<string, unknown>>, problems: readonly SpecProblem[]): Promise<YamlLine[]> {
  const { LineCounter, parseDocument, stringify } = await import("yaml");
  const text = stringify(manifest, { lineWidth: 100, aliasDuplicateObjects: false });
  const counter = new LineCounter();
  const parsed = parseDocument(text, { lineCounter: counter });
  const words = new Map<number, string[]>();
  for (const problem of problems) {
    const line = lineOf(problem.keys);
    words.set(line, [...(words.get(line) ?? []), problem.words]);
  }
  return text.replace(/\n$/, "").split("\n").map((line, index) => ({ text: line, problems: words.get(index + 1) ?? [] }));

  function lineOf(keys: readonly (string | number)[]): number {
    for (let depth = keys.length; depth > 0; depth -= 1) {
      const node: unknown = parsed.getIn(keys.slice(0, depth), true);
      const range = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
      if (!Array.isArray(range)) continue;
      const at = counter.linePos(Number(range[0])).line;
      const nested = depth > 0 && typeof node === "object" && node !== null && "items" in node && typeof keys[depth - 1] === "string";
      return nested ? Math.max(1, at - 1) : at;
    }
    return 1;
  }
}
