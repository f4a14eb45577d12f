// What a run answered to a request, where that is no plain yes.
import type { ReactNode } from "react";
import type { Asking } from "./useAsk";

export function AnswerNote({ asking }: { readonly asking: Asking }): ReactNode {
  const { answered, problem } = asking;
  return (
    <div role="alert" className="answer">
      {problem && <p className="note bad">{problem.code === 403 ? "You may not: " : ""}{problem.message}{problem.errors.length > 0 && `: ${problem.errors.join("; ")}`}</p>}
      {answered?.kind === "rejected" && (
        <div className="note bad">
          <p>The run refused: {answered.reason}</p>
          {answered.errors.length > 0 && <ul>{answered.errors.map((error) => <li key={error}>{error}</li>)}</ul>}
        </div>
      )}
      {answered?.kind === "pending" && <p className="note">The run has not answered yet. The request stands: it will be taken as soon as the operator is back.</p>}
    </div>
  );
}
