// What happened to a run, in a sentence whose steps are links.
import { Fragment } from "react";
import type { ReactNode } from "react";
import type { RunStatus } from "../api/types";
import { storyOf } from "../words/story";

interface Props {
  readonly status: RunStatus;
  readonly onSelect: (step: string) => void;
}

export function Story({ status, onSelect }: Props): ReactNode {
  return (
    <p className="story">
      {storyOf(status).map((piece, index) => (
        <Fragment key={index}>
          {typeof piece === "string" ? piece : <button type="button" className="link strong" onClick={() => onSelect(piece.step)}>{piece.label}</button>}
        </Fragment>
      ))}
    </p>
  );
}
