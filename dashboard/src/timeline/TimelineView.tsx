// Who ran when: a row for each step, a bar for each attempt and each way back.
import { useMemo } from "react";
import type { ReactNode } from "react";
import type { RunAnswer } from "../api/types";
import { useNow } from "../ui/clock";
import { Empty, Spinner, StaleNote } from "../ui/states";
import { stepLook } from "../words/phases";
import { axisMarks, renderDuration } from "../words/times";
import { extentOf, rowsOf, rowsOfStatus } from "./spans";
import type { Extent, Row, Span } from "./spans";
import { useHistory } from "./useHistory";

interface Props {
  readonly run: RunAnswer;
  readonly selected: string | undefined;
  readonly onSelect: (path: string) => void;
}

const LEGEND = [["good", "succeeded"], ["bad", "failed"], ["active", "runs"], ["waiting", "waits"], ["back", "undone or cleaned up"]] as const;

export function TimelineView({ run, selected, onSelect }: Props): ReactNode {
  const { namespace, name, uid } = run.metadata;
  const history = useHistory(namespace, name, uid);
  const now = useNow();
  const rows = useMemo(() => (history.data ? rowsOf(history.data.items) : rowsOfStatus(run)), [history.data, run]);
  if (!history.data && !history.problem) return <Spinner label="Reading the history" />;
  if (rows.length === 0) return <Empty icon="clock" title="Nothing has run yet" />;
  const extent = extentOf(rows, now);
  const marks = axisMarks(extent.to - extent.from, 6);
  return (
    <div className="timeline">
      {history.problem && <StaleNote problem={history.problem} onRetry={history.reload} />}
      {(history.data?.cut ?? false) && <p className="note">There is more: the first transitions are shown.</p>}
      <ul className="legend" aria-label="Colours">{LEGEND.map(([tone, words]) => <li key={tone} className={`tone-${tone}`}><span className="swatch" aria-hidden="true" />{words}</li>)}</ul>
      <div className="axis" aria-hidden="true">{marks.map((mark) => <span key={mark} style={{ left: `${(mark / (extent.to - extent.from)) * 100}%` }}>{mark === 0 ? "0" : renderDuration(mark)}</span>)}</div>
      <ol>{rows.map((row) => <TimelineRow key={row.path} row={row} extent={extent} selected={row.path === selected} onSelect={onSelect} />)}</ol>
    </div>
  );
}

interface RowProps {
  readonly row: Row;
  readonly extent: Extent;
  readonly selected: boolean;
  readonly onSelect: (path: string) => void;
}

function TimelineRow({ row, extent, selected, onSelect }: RowProps): ReactNode {
  return (
    <li className={selected ? "selected" : undefined}>
      <button type="button" className="link strong" onClick={() => onSelect(row.path)} title={row.path}>{row.path}</button>
      <div className="track">
        {row.spans.map((span) => <Bar key={`${span.from} ${span.phase}`} span={span} extent={extent} />)}
        <span className="unseen">{row.spans.map((span) => wordsOf(span, extent)).join("; ")}</span>
      </div>
    </li>
  );
}

function Bar({ span, extent }: { readonly span: Span; readonly extent: Extent }): ReactNode {
  const all = extent.to - extent.from;
  const to = span.to ?? extent.to;
  const place = { left: `${((span.from - extent.from) / all) * 100}%`, width: `${((to - span.from) / all) * 100}%` };
  return <span className={`span tone-${span.tone} phase-${span.phase}${span.to === undefined ? " open" : ""}`} style={place} title={wordsOf(span, extent)} />;
}

function wordsOf(span: Span, extent: Extent): string {
  const took = renderDuration((span.to ?? extent.to) - span.from);
  const attempt = span.attempt > 1 ? `, attempt ${span.attempt}` : "";
  const end = span.ended === undefined || span.ended === span.phase ? "" : ` → ${stepLook(span.ended).label}`;
  return `${stepLook(span.phase).label}${attempt}${end}: after ${renderDuration(span.from - extent.from)}, for ${took}`;
}
