// Why a step failed: kind, message, the lines of the author's code, and what led there. All of it is text.
import type { ReactNode } from "react";
import type { FailureInfo } from "../api/detail";

interface Props {
  readonly title: string;
  readonly failure: FailureInfo;
  readonly explained?: FailureInfo["detail"] | undefined;
}

export function FailureView({ title, failure, explained }: Props): ReactNode {
  const detail = failure.detail ?? explained;
  return (
    <section className="failure" aria-label={title}>
      <h3>{title}: {failure.kind}</h3>
      <p className="said">{failure.message}</p>
      {failure.file && <p className="hint"><code>{failure.file}{failure.line == null ? "" : `:${failure.line}`}</code>{detail?.function ? <> in <code>{detail.function}</code></> : null}{failure.exception ? <> · <code>{failure.exception}</code></> : null}</p>}
      {detail?.source && <Source text={detail.source} line={failure.line ?? undefined} />}
      {(detail?.origins ?? []).length > 0 && <><h4>What it came from</h4><ul className="origins">{detail?.origins?.map((origin) => <li key={origin}>{origin}</li>)}</ul></>}
      {detail?.traceback && <details open={!detail.source}><summary>Traceback</summary><pre tabIndex={0}>{detail.traceback}</pre></details>}
      {detail?.log && <details><summary>Last lines it printed</summary><pre tabIndex={0}>{detail.log}</pre></details>}
      {failure.retryable === false && <p className="hint">Trying again does not help: it is not retried.</p>}
    </section>
  );
}

/** The lines around, the one that failed marked. */
function Source({ text, line }: { readonly text: string; readonly line: number | undefined }): ReactNode {
  return (
    <pre className="source" tabIndex={0} aria-label="The lines around it">
      {text.split("\n").map((one, index) => {
        const here = /^\s*>/.test(one) || (line !== undefined && new RegExp(`^\\s*>?\\s*${line}\\b`).test(one));
        return <span key={index} className={here ? "here" : undefined}>{one}{"\n"}</span>;
      })}
    </pre>
  );
}
