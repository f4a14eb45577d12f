// What can be asked of one step: to be given a value, or to be tried again with other arguments.
import { useId, useState } from "react";
import type { ReactNode, SyntheticEvent } from "react";
import type { ValueInfo } from "../api/detail";
import type { Asked } from "../api/requests";
import type { RunAnswer } from "../api/types";
import { useSession } from "../app/session";
import { JsonField } from "../form/JsonField";
import { AnswerNote } from "../run/AnswerNote";
import { Assume } from "../run/Assume";
import { ACTION_WORDS, mayBeSkipped } from "../run/possible";
import { useAsk } from "../run/useAsk";
import { Dialog } from "../ui/Dialog";
import { Icon } from "../ui/Icon";

interface Props {
  readonly run: RunAnswer;
  readonly path: string;
  readonly phase: string;
  readonly argumentsNow: ValueInfo | undefined;
  readonly onDone: () => void;
}

type Choice = "skip" | "retry";

export function StepActions(props: Props): ReactNode {
  const { session } = useSession();
  const [choice, setChoice] = useState<Choice>();
  const phase = props.run.status.phase ?? "Pending";
  const skip = mayBeSkipped(phase, props.phase);
  const retry = phase === "Failed" && props.run.status.failure?.step === props.path && props.argumentsNow !== undefined;
  if (!session.may.act || (!skip && !retry)) return null;
  return (
    <div className="actions">
      {retry && <button type="button" className="button" onClick={() => setChoice("retry")}><Icon name="retry" />Retry with other arguments</button>}
      {skip && <button type="button" className="button" onClick={() => setChoice("skip")}><Icon name="skip" />Skip</button>}
      {choice && <ChoiceDialog {...props} choice={choice} onClose={() => setChoice(undefined)} />}
    </div>
  );
}

function ChoiceDialog({ run, path, choice, argumentsNow, onDone, onClose }: Props & { readonly choice: Choice; readonly onClose: () => void }): ReactNode {
  const { namespace, name, uid } = run.metadata;
  const asking = useAsk(namespace, name);
  const [value, setValue] = useState<unknown>(choice === "retry" && argumentsNow && "value" in argumentsNow ? argumentsNow.value : undefined);
  const [broken, setBroken] = useState(false);
  const left = choice === "retry" ? [...new Set((run.status.rollback?.failures ?? []).map((failure) => failure.step))] : [];
  const [assume, setAssume] = useState<Readonly<Record<string, string>>>({});
  const id = useId();
  const words = ACTION_WORDS[choice];
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    const asked: Asked = choice === "skip" ? { action: "skip", step: path, payload: value ?? null } : { action: "retry", step: path, arguments: value, ...(left.length > 0 && { assume }) };
    void asking.ask({ ...asked, runUid: uid }).then((accepted) => {
      if (!accepted) return;
      onDone();
      onClose();
    });
  };
  return (
    <Dialog title={choice === "skip" ? words.question : `Retry ${path} with other arguments?`} onClose={onClose}>
      <form onSubmit={submit}>
        <p>{words.effect}</p>
        {left.length > 0 && <Assume steps={left} said={assume} onSay={setAssume} />}
        <div className="form-line">
          <label htmlFor={id}>{choice === "skip" ? `Value of ${path} (JSON; empty: null)` : `All arguments of ${path} (JSON)`}</label>
          <JsonField id={id} value={value} onChange={setValue} onBroken={setBroken} />
        </div>
        <AnswerNote asking={asking} />
        <div className="dialog-end">
          <button type="button" className="button" onClick={onClose}>Leave it</button>
          <button type="submit" className="button primary" disabled={asking.busy || broken || left.some((step) => assume[step] === undefined)}>{asking.busy ? "Waiting for the run …" : `${words.verb} ${path}`}</button>
        </div>
      </form>
    </Dialog>
  );
}
