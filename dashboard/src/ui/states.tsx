// What a view shows when it has nothing to show: that it loads, that there is nothing, or why there is not.
import type { ReactNode } from "react";
import type { ApiProblem } from "../api/client";
import { Icon } from "./Icon";
import type { IconName } from "./Icon";

export const Spinner = ({ label }: { readonly label: string }): ReactNode => (
  <div className="state" role="status"><Icon name="running" /><p>{label} …</p></div>
);

interface EmptyProps {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ReactNode;
}

export const Empty = ({ icon, title, children }: EmptyProps): ReactNode => (
  <div className="state"><Icon name={icon} /><p className="state-title">{title}</p>{children}</div>
);

interface ProblemProps {
  readonly problem: ApiProblem;
  readonly onRetry?: () => void;
}

export const ProblemView = ({ problem, onRetry }: ProblemProps): ReactNode => (
  <div className="state bad" role="alert">
    <Icon name="warn" />
    <p className="state-title">{titleOf(problem.code)}</p>
    <p className="said">{problem.message}</p>
    {problem.errors.length > 0 && <ul>{problem.errors.map((error) => <li key={error}>{error}</li>)}</ul>}
    {onRetry && <button type="button" className="button" onClick={onRetry}>Try again</button>}
  </div>
);

/** What is shown is older than it should be, and why. */
export const StaleNote = ({ problem, onRetry }: ProblemProps): ReactNode => (
  <p className="note bad" role="alert">
    <Icon name="warn" /> Not refreshed: {problem.message}{" "}
    {onRetry && <button type="button" className="link" onClick={onRetry}>Try again</button>}
  </p>
);

function titleOf(code: number): string {
  switch (code) {
    case 0: return "The gateway cannot be reached";
    case 403: return "You may not look at this";
    case 404: return "There is none";
    case 503: return "Not ready yet";
    default: return "That did not work";
  }
}
