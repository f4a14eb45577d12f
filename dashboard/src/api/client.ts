// Requests to the gateway. In: an address, parameters, what to send. Out: JSON, or an ApiProblem that says why there is
// none. Never here: an address of another origin, or an answer that is kept.
import { parseExact } from "./exact";

const BASE = "/api/v1";
const TOKEN = "reactor.token";

/** Why there is no answer. `code` is 0 where the gateway could not be reached. */
export class ApiProblem extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly errors: readonly string[] = [],
  ) {
    super(message);
    this.name = "ApiProblem";
  }
}

export type Params = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The token that was typed in, for as long as the tab is open. */
export const token = {
  get: (): string | null => sessionStorage.getItem(TOKEN),
  set: (text: string): void => sessionStorage.setItem(TOKEN, text),
  clear: (): void => sessionStorage.removeItem(TOKEN),
};

/** Return an address of the API with its parameters. */
export function address(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [String(value)]) query.append(name, one);
  }
  const text = query.toString();
  return `${BASE}${path}${text ? `?${text}` : ""}`;
}

/** Return the address of a run or a reactor. */
export const objectPath = (kind: "runs" | "reactors", namespace: string, name: string): string =>
  `/${kind}/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;

/** Ask, and return the answer as it comes in. Raises ApiProblem. */
export async function open(url: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const held = token.get();
  if (held !== null) headers.set("Authorization", `Bearer ${held}`);
  let answer: Response;
  try {
    answer = await fetch(url, { ...init, headers, cache: "no-store", credentials: "same-origin", redirect: "error" });
  } catch (problem) {
    if (init.signal?.aborted) throw problem;
    throw new ApiProblem(0, "The gateway does not answer.");
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

/** Ask for JSON. Raises ApiProblem. */
export async function get<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  const answer = await open(address(path, params), signal ? { signal } : {});
  return parseExact(await answer.text()) as T;
}

async function problemOf(answer: Response): Promise<ApiProblem> {
  const said: unknown = await answer.json().catch(() => undefined);
  const fields = typeof said === "object" && said !== null ? (said as Record<string, unknown>) : {};
  const message = [fields["error"], fields["reason"]].find((one) => typeof one === "string");
  const errors = Array.isArray(fields["errors"]) ? fields["errors"].filter((one) => typeof one === "string") : [];
  return new ApiProblem(answer.status, message ?? `The gateway answered ${answer.status}.`, errors);
}
