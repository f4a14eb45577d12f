// Any JSON, typed as it is written. Never here: a text that is no JSON taken for a value.
import { useState } from "react";
import type { ReactNode } from "react";
import { parseExact } from "../api/exact";

interface Props {
  readonly id: string;
  readonly value: unknown;
  readonly described?: string;
  readonly invalid?: boolean;
  readonly onChange: (value: unknown) => void;
  readonly onBroken?: (broken: boolean) => void;
}

export function JsonField({ id, value, described, invalid = false, onChange, onBroken }: Props): ReactNode {
  const [text, setText] = useState(() => (value === undefined ? "" : JSON.stringify(value, null, 2)));
  const [broken, setBroken] = useState("");
  const change = (said: string): void => {
    setText(said);
    try {
      onChange(said.trim() === "" ? undefined : parseExact(said));
      setBroken("");
      onBroken?.(false);
    } catch (problem) {
      setBroken(problem instanceof Error ? problem.message : String(problem));
      onBroken?.(true);
    }
  };
  return (
    <>
      <textarea id={id} className="mono" rows={Math.min(12, Math.max(3, text.split("\n").length))} spellCheck={false} value={text}
        aria-invalid={invalid || broken !== ""} aria-describedby={`${described ?? ""} ${id}-broken`.trim()} onChange={(event) => change(event.target.value)} />
      <p id={`${id}-broken`} className="field-error">{broken && `Not JSON yet: ${broken}`}</p>
    </>
  );
}
