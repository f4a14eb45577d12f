/** Return what belongs together, in its order. */
export function grouped<T>(all: readonly T[], by: (one: T) => string | undefined): ReadonlyMap<string | undefined, T[]> {
  const groups = new Map<string | undefined, T[]>();
  for (const one of all) {
    const group = groups.get(by(one));
    if (group) group.push(one);
    else groups.set(by(one), [one]);
  }
  return groups;
}
