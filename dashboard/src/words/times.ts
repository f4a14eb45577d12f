// Moments and durations for people. In: RFC 3339, milliseconds. Out: short words. Never here: a clock of its own.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Return a moment in milliseconds, undefined where there is none or it is not one. */
export function parseMoment(text: string | null | undefined): number | undefined {
  if (!text) return undefined;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : moment;
}

/** Return how long something took: `40 ms`, `3.2 s`, `4 min 5 s`, `2 h 3 min`, `3 d 4 h`. */
export function renderDuration(milliseconds: number): string {
  const took = Math.max(0, milliseconds);
  if (took < SECOND) return `${Math.round(took)} ms`;
  if (took < 10 * SECOND) return `${(took / SECOND).toFixed(1)} s`;
  if (took < MINUTE) return `${Math.floor(took / SECOND)} s`;
  if (took < HOUR) return pair(took, MINUTE, "min", SECOND, "s");
  if (took < DAY) return pair(took, HOUR, "h", MINUTE, "min");
  return pair(took, DAY, "d", HOUR, "h");
}

function pair(took: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((took % large) / small);
  return `${Math.floor(took / large)} ${largeUnit}${rest > 0 ? ` ${rest} ${smallUnit}` : ""}`;
}

/** Return how long ago a moment is, or in how long it comes. */
export function renderDistance(moment: number, now: number): string {
  const distance = now - moment;
  if (Math.abs(distance) < 5 * SECOND) return distance >= 0 ? "just now" : "in a moment";
  const words = coarse(Math.abs(distance));
  return distance > 0 ? `${words} ago` : `in ${words}`;
}

function coarse(distance: number): string {
  if (distance < MINUTE) return `${Math.floor(distance / SECOND)} s`;
  if (distance < HOUR) return `${Math.floor(distance / MINUTE)} min`;
  if (distance < DAY) return `${Math.floor(distance / HOUR)} h`;
  return `${Math.floor(distance / DAY)} d`;
}

/** Return a moment in the zone of whoever looks; with milliseconds where `exact`. */
export function renderMoment(moment: number, exact = false): string {
  const date = new Date(moment);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}${exact ? `.${String(date.getMilliseconds()).padStart(3, "0")}` : ""}`;
}

const two = (number: number): string => String(number).padStart(2, "0");

/** Return round marks for an axis of so many milliseconds: at most `most` of them, from 0. */
export function axisMarks(span: number, most: number): number[] {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND,
    30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR,
    12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY];
  const step = steps.find((one) => span / one <= most) ?? Math.ceil(span / most / DAY) * DAY;
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => index * step);
}
