// The answer to an interrupt, given where the step is looked at.
import type { ReactNode } from "react";
import type { GraphNode, RunAnswer } from "../api/types";
import { AnswerForm } from "../form/AnswerForm";
import { Spinner } from "../ui/states";
import { Ago, Took } from "../ui/clock";

interface Props {
  readonly run: RunAnswer;
  readonly interrupt: NonNullable<RunAnswer["status"]["interrupts"]>[number];
  readonly node: GraphNode | undefined;
}

export function StepAnswer({ run, interrupt, node }: Props): ReactNode {
  const { namespace, name, uid } = run.metadata;
  return (
    <section className="step-answer" aria-label="What it waits for">
      <p className="hint">
        {interrupt.openedAt && <>It has waited for <Took from={interrupt.openedAt} to={undefined} />. </>}
        {interrupt.expiresAt && <>It expires <Ago at={interrupt.expiresAt} />. </>}
        {interrupt.attemptsLeft != null && <>{interrupt.attemptsLeft} invalid payloads until it fails. </>}
        {interrupt.correlationId && <>Known as <code>{interrupt.correlationId}</code>.</>}
      </p>
      {interrupt.lastRejection && <p className="note bad">The last answer was refused: {interrupt.lastRejection}</p>}
      {node === undefined ? <Spinner label="Reading what it waits for" /> : (
        <AnswerForm asks={{ namespace, run: name, runUid: uid, step: interrupt.step, approvers: interrupt.approvers ?? false, schema: node.interrupt?.payloadSchema }} />
      )}
    </section>
  );
}
