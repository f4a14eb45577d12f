// Numbers for people: places in an order, sizes, counts.

/** Return `1st`, `2nd`, `3rd`, `4th`, `11th`. */
export function ordinal(number: number): string {
  const teen = Math.floor((number % 100) / 10) === 1;
  const ending = teen ? "th" : (["th", "st", "nd", "rd"][number % 10] ?? "th");
  return `${number}${ending}`;
}

/** Return a size: `512 B`, `1.5 KiB`, `16 MiB`. */
export function renderBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  const text = unit === 0 || size >= 10 ? String(Math.round(size)) : size.toFixed(1).replace(/\.0$/, "");
  return `${text} ${units[unit] ?? "B"}`;
}

/** Return a number with thin groups: `1,000,000`. */
export const renderCount = (count: number): string => count.toLocaleString("en-US");

/** Return `1 step`, `2 steps`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${renderCount(count)} ${count === 1 ? one : many}`;
