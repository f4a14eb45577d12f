// What waits for a signal in a run, right under its head.
import type { ReactNode } from "react";
import type { RunAnswer } from "../api/types";
import { Ago, Took } from "../ui/clock";
import { Icon } from "../ui/Icon";
import { counted } from "../words/amounts";

interface Props {
  readonly run: RunAnswer;
  readonly onSelect: (step: string) => void;
}

const SHOWN = 4;

export function Waiting({ run, onSelect }: Props): ReactNode {
  const waiting = run.status.interrupts ?? [];
  if (waiting.length === 0) return null;
  return (
    <ul className="waiting" aria-label="Waiting for a signal">
      {waiting.slice(0, SHOWN).map((one) => (
        <li key={one.step}>
          <Icon name="waiting" />
          <span><b>{one.step}</b> has waited{one.openedAt && <> for <Took from={one.openedAt} to={undefined} /></>}{one.expiresAt && <>, expires <Ago at={one.expiresAt} /></>}{one.approvers ? ", for an approver" : ""}</span>
          <button type="button" className="button primary" onClick={() => onSelect(one.step)}>Answer</button>
        </li>
      ))}
      {waiting.length > SHOWN && <li className="hint">and {counted(waiting.length - SHOWN, "more step")}: see the inbox</li>}
    </ul>
  );
}
