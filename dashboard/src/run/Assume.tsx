// What a person found of steps that could not be taken back: a retry on top of them needs to know.
import type { ReactNode } from "react";

interface Props {
  readonly steps: readonly string[];
  readonly said: Readonly<Record<string, string>>;
  readonly onSay: (said: Readonly<Record<string, string>>) => void;
}

const CHOICES = [
  ["standing", "still stands: do not run it again"],
  ["undone", "is gone: run it again"],
] as const;

export const Assume = ({ steps, said, onSay }: Props): ReactNode => (
  <div className="assume">
    <p>These could not be taken back. Look at what they left, and say what you found:</p>
    {steps.map((step) => (
      <fieldset key={step}>
        <legend>{step}</legend>
        {CHOICES.map(([choice, words]) => (
          <label key={choice} className="choice">
            <input type="radio" name={`assume-${step}`} checked={said[step] === choice} onChange={() => onSay({ ...said, [step]: choice })} />
            {words}
          </label>
        ))}
      </fieldset>
    ))}
  </div>
);
