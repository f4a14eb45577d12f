// What the tasks of a step printed, or print.
import { useEffect, useRef, useState } from "react";
import type { ReactNode } from "react";
import type { TaskItem } from "../api/detail";
import { ProblemView } from "../ui/states";
import { counted } from "../words/amounts";
import { actionWords } from "./Attempts";
import { useLog } from "./useLog";
import type { Log } from "./useLog";

interface Props {
  readonly namespace: string;
  readonly name: string;
  readonly tasks: readonly TaskItem[];
}

export function Logs({ namespace, name, tasks }: Props): ReactNode {
  const kept = tasks.filter((task) => task.logs);
  const [chosen, setChosen] = useState(kept.at(-1)?.task);
  return (
    <div className="logs">
      <select aria-label="Which task" value={chosen} onChange={(event) => setChosen(event.target.value)}>
        {kept.map((task) => <option key={task.task} value={task.task}>{actionWords(task.action)}, attempt {task.attempt}{task.round > 1 ? `, round ${task.round}` : ""} ({task.phase})</option>)}
      </select>
      {chosen !== undefined && <LogText key={chosen} namespace={namespace} name={name} task={chosen} />}
    </div>
  );
}

function LogText({ namespace, name, task }: Pick<Props, "namespace" | "name"> & { readonly task: string }): ReactNode {
  const log = useLog(namespace, name, task);
  const [follows, setFollows] = useState(true);
  const end = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (follows && end.current) end.current.scrollTop = end.current.scrollHeight;
  }, [log.lines, follows]);
  return (
    <>
      <div className="logs-head">
        <label className="choice"><input type="checkbox" checked={follows} onChange={(event) => setFollows(event.target.checked)} /> Follow</label>
        <span className="hint" role="status">{wordsOf(log)}</span>
      </div>
      {log.problem && <ProblemView problem={log.problem} />}
      {log.dropped > 0 && <p className="hint">{counted(log.dropped, "line")} before these are not shown.</p>}
      <pre ref={end} className="log" tabIndex={0} aria-label="Log">{log.lines.join("\n")}</pre>
    </>
  );
}

function wordsOf(log: Log): string {
  switch (log.kind) {
    case undefined: return log.ended ? "" : "Reading …";
    case "none": return "It printed nothing that is kept.";
    case "live": return log.ended ? "It has ended." : "Live";
    case "kept": return "As it was kept";
    case "cut": return "Its end, as it was kept: the beginning is cut";
  }
}
