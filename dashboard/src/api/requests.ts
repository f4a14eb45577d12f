// Requests to runs: what somebody asks, and what the run answers. Never here: an answer that the run did not give.
import { address, ApiProblem, objectPath, open } from "./client";

export type Action = "resume" | "cancel" | "undo" | "retry" | "skip" | "suspend" | "unsuspend";

export interface Asked {
  readonly action: Action;
  readonly runUid?: string;
  readonly step?: string;
  readonly payload?: unknown;
  readonly arguments?: unknown;
  readonly assume?: Readonly<Record<string, string>>;
  readonly asApprover?: boolean;
  readonly dryRun?: boolean;
  readonly reason?: string;
  readonly messageId?: string;
}

/** What became of a request. `errors`: everything that is wrong with what it brought, each with its JSON path. */
export type Answered =
  | { readonly kind: "accepted"; readonly reason: string }
  | { readonly kind: "rejected"; readonly reason: string; readonly errors: readonly string[] }
  | { readonly kind: "pending"; readonly id: string };

const ASK_AGAIN_MS = 1000;
const ASK_AGAIN_TIMES = 30;

interface Said {
  readonly id?: string;
  readonly answer?: string;
  readonly reason?: string;
}

/** Ask something of a run, and wait for its answer. Raises ApiProblem where there is none to be had. */
export async function askRun(namespace: string, name: string, asked: Asked): Promise<Answered> {
  const path = `${objectPath("runs", namespace, name)}/requests`;
  let answered = await settled(
    open(address(path), {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Reactor-Request": "1" },
      body: JSON.stringify(asked),
    }),
  );
  for (let times = 0; answered.kind === "pending" && times < ASK_AGAIN_TIMES; times += 1) {
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    answered = await settled(open(address(`${path}/${encodeURIComponent(answered.id)}`)));
  }
  return answered;
}

async function settled(asking: Promise<Response>): Promise<Answered> {
  try {
    const said = (await (await asking).json()) as Said;
    return said.answer === "pending" ? { kind: "pending", id: said.id ?? "" } : { kind: "accepted", reason: said.reason ?? "" };
  } catch (problem) {
    if (!(problem instanceof ApiProblem) || (problem.code !== 409 && problem.code !== 422)) throw problem;
    return { kind: "rejected", reason: problem.message, errors: problem.errors };
  }
}
