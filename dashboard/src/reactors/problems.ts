// Problems of a definition, by the path that each names. In: a line. Out: keys of the path, words. Pure.

export interface SpecProblem {
  readonly line: string;
  readonly path: string | undefined;
  readonly keys: readonly (string | number)[];
  readonly words: string;
}

const LINE = /^([A-Za-z][\w-]*(?:\.[A-Za-z_][\w-]*|\[(?:\d+|'[^']*')\])*): (.*)$/s;

/** Return a problem; one that names no path is about the whole. */
export function parseProblem(line: string): SpecProblem {
  const parts = LINE.exec(line);
  const path = parts?.[1];
  if (path === undefined) return { line, path: undefined, keys: [], words: line };
  const keys = [...path.matchAll(/([A-Za-z_][\w-]*)|\[(\d+)\]|\['([^']*)'\]/g)].map((found) =>
    found[2] === undefined ? (found[1] ?? found[3] ?? "") : Number(found[2]));
  return { line, path, keys, words: parts?.[2] ?? "" };
}
