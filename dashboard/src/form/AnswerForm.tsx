// The payload that an interrupt waits for, as a form made of its JSON Schema, or as JSON.
import { useId, useMemo, useState } from "react";
import type { ReactNode, SyntheticEvent } from "react";
import type { Asked } from "../api/requests";
import { useSession } from "../app/session";
import { AnswerNote } from "../run/AnswerNote";
import { useAsk } from "../run/useAsk";
import { checkPayload } from "./check";
import { FieldView } from "./FieldView";
import { JsonField } from "./JsonField";
import { BASE, NO_PROBLEMS, problemsOf } from "./problems";
import type { Problems } from "./problems";
import { filledIn, firstValue, parseSchema } from "./schema";

export interface Asks {
  readonly namespace: string;
  readonly run: string;
  readonly runUid: string;
  readonly step: string;
  readonly approvers: boolean;
  readonly schema: unknown;
}

interface Props {
  readonly asks: Asks;
  readonly onAnswered?: () => void;
}

export function AnswerForm({ asks, onAnswered }: Props): ReactNode {
  const { session } = useSession();
  const asking = useAsk(asks.namespace, asks.run);
  const text = JSON.stringify(asks.schema ?? null);
  const described = useMemo(() => parseSchema(JSON.parse(text)), [text]);
  const [value, setValue] = useState<unknown>(() => firstValue(described));
  const [asJson, setAsJson] = useState(described.field.kind === "json");
  const [broken, setBroken] = useState(false);
  const [problems, setProblems] = useState<Problems>(NO_PROBLEMS);
  const [sent, setSent] = useState(false);
  const id = useId();

  if (sent) return <p className="note good" role="status">Accepted: the run goes on.</p>;
  if (!session.may.act) return <p className="note">You may look, but not answer: that needs the right to create reactorsignals.</p>;
  if (asks.approvers && !session.may.approve) return <p className="note">Only approvers may answer: that needs the right to update reactorruns/approval.</p>;

  const submit = async (event: SyntheticEvent): Promise<void> => {
    event.preventDefault();
    const payload = asJson ? value : filledIn(value, described);
    const found = await checkPayload(payload, asks.schema);
    setProblems(found);
    if (found.size > 0) return;
    const asked: Asked = { action: "resume", runUid: asks.runUid, step: asks.step, payload: payload ?? null, ...(asks.approvers && { asApprover: true }) };
    if (await asking.ask(asked)) {
      setSent(true);
      onAnswered?.();
    }
  };
  const shown = asking.answered?.kind === "rejected" ? problemsOf(asking.answered.errors) : problems;
  const whole = described.field.kind === "object" && !asJson ? (shown.get(BASE) ?? []) : [];
  return (
    <form className="answer-form" noValidate onSubmit={(event) => void submit(event)} aria-label={`Answer ${asks.step}`}>
      {described.field.kind !== "json" && (
        <button type="button" className="link as-json" aria-pressed={asJson} onClick={() => {
          setValue(asJson ? value : filledIn(value, described));
          setAsJson(!asJson);
        }}>{asJson ? "As a form" : "As JSON"}</button>
      )}
      {asJson ? (
        <div className="form-line">
          <label htmlFor={id}>Payload (JSON)</label>
          <JsonField id={id} value={value} onChange={setValue} onBroken={setBroken} invalid={shown.size > 0} described={`${id}-wrong`} />
          <div id={`${id}-wrong`} className="field-error">{[...shown].map(([path, lines]) => <p key={path}>{path}: {lines.join(" ")}</p>)}</div>
        </div>
      ) : <FieldView label="Payload" path={BASE} described={described} required value={value} problems={shown} onChange={setValue} />}
      {whole.length > 0 && <p className="unseen">{whole.join(" ")}</p>}
      {shown.size > 0 && <p className="field-error" role="alert">{shown.size === 1 ? "One thing is" : `${shown.size} things are`} not right yet.</p>}
      <AnswerNote asking={asking} />
      <button type="submit" className="button primary" disabled={asking.busy || broken}>{asking.busy ? "Waiting for the run …" : `Answer ${asks.step}`}</button>
    </form>
  );
}
