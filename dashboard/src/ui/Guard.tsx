// The last resort: a fault of the page itself is told, and does not leave it white.
import { Component } from "react";
import type { ReactNode } from "react";
import { Icon } from "./Icon";

interface State {
  readonly fault: string | undefined;
}

export class Guard extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { fault: undefined };

  static getDerivedStateFromError(problem: unknown): State {
    return { fault: problem instanceof Error ? problem.message : String(problem) };
  }

  override render(): ReactNode {
    if (this.state.fault === undefined) return this.props.children;
    return (
      <main className="alone">
        <div className="state bad" role="alert">
          <Icon name="warn" />
          <p className="state-title">The dashboard has a fault</p>
          <p className="said">{this.state.fault}</p>
          <button type="button" className="button" onClick={() => window.location.reload()}>Load it again</button>
        </div>
      </main>
    );
  }
}
