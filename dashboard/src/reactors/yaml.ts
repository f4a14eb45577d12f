// A definition as YAML, and the lines that its problems are about. The library is loaded when it is first needed.
import type { SpecProblem } from "./problems";

export interface YamlLine {
  readonly text: string;
  readonly problems: readonly string[];
}

/** Return the lines of a manifest, with the words of each problem at the line it is about, or the nearest one around. */
export async function renderYaml(manifest: Readonly<Record<string, unknown>>, problems: readonly SpecProblem[]): Promise<YamlLine[]> {
  const { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, stringify } = await import("yaml");
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
      const key = keys[depth - 1];
      const around: unknown = depth === 1 ? parsed.contents : parsed.getIn(keys.slice(0, depth - 1), true);
      const member = isMap(around) ? around.items.find((pair) => isScalar(pair.key) && pair.key.value === key)?.key : isSeq(around) ? around.items[Number(key)] : undefined;
      const at = isNode(member) ? member.range?.[0] : undefined;
      if (at !== undefined) return counter.linePos(at).line;
    }
    return 1;
  }
}
