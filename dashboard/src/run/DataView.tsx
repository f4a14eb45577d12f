// What a run was given and what it gave; large values by page.
import type { ReactNode } from "react";
import type { RunAnswer } from "../api/types";
import { ValueBrowser } from "../step/ValueBrowser";

export function DataView({ run }: { readonly run: RunAnswer }): ReactNode {
  const { namespace, name } = run.metadata;
  const over = run.status.finishedAt !== undefined;
  return (
    <div className="data">
      <section aria-labelledby="inputs-title">
        <h2 id="inputs-title">Inputs</h2>
        <ValueBrowser namespace={namespace} name={name} of="inputs" />
      </section>
      <section aria-labelledby="output-title">
        <h2 id="output-title">Result</h2>
        {over ? <ValueBrowser namespace={namespace} name={name} of="output" fallback={run.status.result ?? null} /> : <p className="hint">There is none before the run has ended.</p>}
      </section>
    </div>
  );
}
