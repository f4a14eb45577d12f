// Every task of a step: who did it, when, how it ended.
import type { ReactNode } from "react";
import type { TaskItem } from "../api/detail";
import { Took } from "../ui/clock";
import { Icon } from "../ui/Icon";
import { PhaseBadge } from "../ui/PhaseBadge";
import { parseMoment, renderMoment } from "../words/times";

const WORDS: Readonly<Record<string, string>> = { run: "Run", do: "Run", undo: "Undo", compensate: "Clean up" };
export const isBackward = (action: string): boolean => action === "undo" || action === "compensate";
export const actionWords = (action: string): string => WORDS[action] ?? action;

export function Attempts({ tasks }: { readonly tasks: readonly TaskItem[] }): ReactNode {
  return (
    <ol className="attempts">
      {tasks.map((task) => (
        <li key={task.task} className={isBackward(task.action) ? "tone-back" : "tone-plain"}>
          <p><b>{isBackward(task.action) && <Icon name="undo" />}{actionWords(task.action)}, attempt {task.attempt}{task.round > 1 ? `, round ${task.round}` : ""}</b> <PhaseBadge phase={task.phase} of="step" /></p>
          <p className="hint">
            {task.startedAt ? <>{renderMoment(parseMoment(task.startedAt) ?? 0, true)} · <Took from={task.startedAt} to={task.finishedAt} /></> : "not started yet"}
          </p>
          {task.pod && <p className="hint">pod <code>{task.pod}</code></p>}
          {task.job && <p className="hint">Job <code>{task.job}</code></p>}
          {task.message && <p className="said">{task.message}</p>}
        </li>
      ))}
    </ol>
  );
}
