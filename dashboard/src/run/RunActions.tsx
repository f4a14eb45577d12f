// What can be asked of a run, each behind a question.
import { useState } from "react";
import type { ReactNode, SyntheticEvent } from "react";
import type { Action, Asked } from "../api/requests";
import type { RunAnswer } from "../api/types";
import { useSession } from "../app/session";
import { Dialog } from "../ui/Dialog";
import { Icon } from "../ui/Icon";
import { AnswerNote } from "./AnswerNote";
import { Assume } from "./Assume";
import { ACTION_WORDS, possibleOf } from "./possible";
import { useAsk } from "./useAsk";

interface Props {
  readonly run: RunAnswer;
  readonly onDone: () => void;
}

export function RunActions({ run, onDone }: Props): ReactNode {
  const { session } = useSession();
  const [action, setAction] = useState<Action>();
  if (!session.may.act) return null;
  return (
    <div className="actions" role="group" aria-label="What can be asked of this run">
      {possibleOf(run.status.phase ?? "Pending", run.status.rollback?.state).map((one) => (
        <button key={one} type="button" className="button" title={ACTION_WORDS[one].effect} onClick={() => setAction(one)}>
          <Icon name={ACTION_WORDS[one].icon} />{ACTION_WORDS[one].verb}
        </button>
      ))}
      {action && <ActionDialog run={run} action={action} onClose={() => setAction(undefined)} onDone={onDone} />}
    </div>
  );
}

interface DialogProps extends Props {
  readonly action: Action;
  readonly onClose: () => void;
}

function ActionDialog({ run, action, onClose, onDone }: DialogProps): ReactNode {
  const { metadata, status } = run;
  const asking = useAsk(metadata.namespace, metadata.name);
  const [reason, setReason] = useState("");
  const left = action === "retry" ? [...new Set((status.rollback?.failures ?? []).map((failure) => failure.step))] : [];
  const [assume, setAssume] = useState<Readonly<Record<string, string>>>({});
  const words = ACTION_WORDS[action];
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    const asked: Asked = {
      action,
      runUid: metadata.uid,
      ...(reason.trim() && { reason: reason.trim() }),
      ...(left.length > 0 && { assume }),
    };
    void asking.ask(asked).then((accepted) => {
      if (!accepted) return;
      onDone();
      onClose();
    });
  };
  const unsaid = left.some((step) => assume[step] === undefined);
  return (
    <Dialog title={words.question} onClose={onClose}>
      <form onSubmit={submit}>
        <p>{words.effect}</p>
        {left.length > 0 && <Assume steps={left} said={assume} onSay={setAssume} />}
        <label className="field">
          <span>Why (everybody sees it)</span>
          <input type="text" maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />
        </label>
        <AnswerNote asking={asking} />
        <div className="dialog-end">
          <button type="button" className="button" onClick={onClose}>Leave it</button>
          <button type="submit" className={words.danger ? "button danger" : "button primary"} disabled={asking.busy || unsaid}>
            {asking.busy ? "Waiting for the run …" : `${words.verb} ${metadata.name}`}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
