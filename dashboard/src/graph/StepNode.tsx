// A step in the graph: a box, or with its inside open a frame around other boxes.
import type { NodeProps } from "@xyflow/react";
import { memo, useContext } from "react";
import type { ReactNode } from "react";
import { Took } from "../ui/clock";
import { Icon } from "../ui/Icon";
import type { IconName } from "../ui/Icon";
import { counted, ordinal, renderCount } from "../words/amounts";
import { isLive, isReversed, stepLook } from "../words/phases";
import { GraphActions, GraphDetail } from "./actions";
import type { StepNode as FlowNode } from "./flow";
import type { StepView } from "./scene";

const KINDS: ReadonlySet<string> = new Set<IconName>(["task", "map", "switch", "compose", "transform", "interrupt", "finally"]);

export const StepBox = memo(function StepBox({ data }: NodeProps<FlowNode>): ReactNode {
  const { step, selected } = data;
  const { select } = useContext(GraphActions);
  const detail = useContext(GraphDetail);
  if (detail !== "all") return <FarBox {...data} named={detail === "name"} />;
  return (
    <div className={`step${isLive(step.phase) ? " live" : ""}${step.sound ? "" : " unsound"} ${toneOf(step, selected)}`} data-phase={step.phase}>
      <button type="button" className="step-face" onClick={() => select(step.path)} aria-pressed={selected}>
        <span className="step-name"><Icon name={kindIcon(step.kind)} /><b>{step.label}</b></span>
        <StepLine step={step} />
        <Unseen step={step} />
      </button>
      <Corners step={step} />
    </div>
  );
});

/** What can be told from far away, in as little as can be drawn: thousands of these are moved at once. */
function FarBox({ step, selected, named }: FlowNode["data"] & { readonly named: boolean }): ReactNode {
  const { select } = useContext(GraphActions);
  const look = stepLook(step.phase);
  return (
    <div className={`step far${step.sound ? "" : " unsound"} ${toneOf(step, selected)}`} data-phase={step.phase}>
      <button type="button" className="step-face" onClick={() => select(step.path)} aria-pressed={selected} aria-label={`${step.label}, ${look.label}`}>{named && cut(step.label)}</button>
      {step.order !== undefined && <span className="order">{step.order}</span>}
    </div>
  );
}

const toneOf = (step: StepView, selected: boolean): string =>
  `tone-${step.phase === undefined ? "plain" : stepLook(step.phase).tone}${selected ? " selected" : ""}`;

const FAR_LETTERS = 12;
const cut = (label: string): string => (label.length > FAR_LETTERS ? `${label.slice(0, FAR_LETTERS - 1)}…` : label);

export const ScopeBox = memo(function ScopeBox({ data }: NodeProps<FlowNode>): ReactNode {
  const { step, selected } = data;
  const { select } = useContext(GraphActions);
  const look = stepLook(step.phase);
  return (
    <div className={`scope ${toneOf(step, selected)}`} data-phase={step.phase}>
      <div className="scope-head">
        {step.kind === "finally" ? <span className="step-name"><Icon name="finally" /><b>{step.label}</b></span> : (
          <button type="button" className="scope-face" onClick={() => select(step.path)} aria-pressed={selected}>
            <span className="step-name"><Icon name={kindIcon(step.kind)} /><b>{step.label}</b></span>
            {step.phase !== undefined && <span className="step-phase"><Icon name={look.icon} />{look.label}{step.map ? `, ${mapWords(step.map)}` : ""}</span>}
            <Unseen step={step} />
          </button>
        )}
      </div>
      <Corners step={step} />
    </div>
  );
});

function Corners({ step }: { readonly step: StepView }): ReactNode {
  const { toggle } = useContext(GraphActions);
  return (
    <>
      {step.order !== undefined && <span className="order" title={`Taken back as the ${ordinal(step.order)}`}><Icon name="undo" />{step.order}</span>}
      {step.inner > 0 && (
        <button type="button" className="toggle" aria-expanded={step.open} onClick={() => toggle(step.path)} aria-label={step.open ? `Close ${step.label}` : `Open ${step.label}, ${step.inner} inside`}>
          <Icon name={step.open ? "close" : "open"} />{!step.open && <span>{step.inner}</span>}
        </button>
      )}
    </>
  );
}

function StepLine({ step }: { readonly step: StepView }): ReactNode {
  const look = stepLook(step.phase);
  if (step.phase === undefined) return <span className="step-does">{step.does}</span>;
  if (step.map) return <MapLine step={step} map={step.map} />;
  const timed = step.phase !== "Pending" && step.startedAt !== undefined && !isReversed(step.phase); // else until it was taken back
  return (
    <>
      <span className="step-phase">
        <Icon name={look.icon} />{look.label}
        {step.attempts > 1 && <span className="hint">· attempt {step.attempts}</span>}
        {timed && <span className="hint">· <Took from={step.startedAt} to={isLive(step.phase) ? undefined : step.finishedAt} /></span>}
      </span>
      <span className="step-does">{step.words ?? step.does}</span>
    </>
  );
}

function MapLine({ step, map }: { readonly step: StepView; readonly map: NonNullable<StepView["map"]> }): ReactNode {
  const all = map.total ?? 0;
  const look = stepLook(step.phase);
  const ended = map.succeeded + map.failed + map.skipped;
  return (
    <>
      <span className="step-phase"><Icon name={look.icon} />{look.label}</span>
      <svg className="map-bar" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label={mapWords(map)}>
        <rect className="all" width="100" height="4" />
        {all > 0 && parts(map, all).map((part) => <rect key={part.tone} className={`tone-${part.tone}`} x={part.x} width={part.width} height="4" />)}
      </svg>
      <span className="step-does">{renderCount(ended)} of {map.total == null ? "…" : renderCount(all)}{map.running > 0 ? ` · ${renderCount(map.running)} in flight` : ""}{map.failed > 0 ? ` · ${renderCount(map.failed)} failed` : ""}</span>
    </>
  );
}

/** Return the parts of a bar of 100, the undone ones taken from those that succeeded. */
function parts(map: NonNullable<StepView["map"]>, all: number): { tone: string; x: number; width: number }[] {
  const undone = map.undone ?? 0;
  const counts = [["good", map.succeeded - undone], ["back", undone], ["neutral", map.skipped], ["bad", map.failed], ["active", map.running]] as const;
  let x = 0;
  return counts.filter(([, count]) => count > 0).map(([tone, count]) => {
    const part = { tone, x, width: (count / all) * 100 };
    x += part.width;
    return part;
  });
}

const mapWords = (map: NonNullable<StepView["map"]>): string =>
  `${renderCount(map.succeeded)} of ${map.total == null ? "an unknown number" : counted(map.total, "element")} succeeded` +
  `${map.failed > 0 ? `, ${renderCount(map.failed)} failed` : ""}${map.undone ? `, ${renderCount(map.undone)} undone` : ""}`;

const kindIcon = (kind: string): IconName => (KINDS.has(kind) ? (kind as IconName) : "task");

/** What only shapes and corners say, for who does not see them. */
function Unseen({ step }: { readonly step: StepView }): ReactNode {
  const words = [step.order === undefined ? "" : `taken back as the ${ordinal(step.order)}`, step.sound ? "" : "has a problem"].filter(Boolean);
  return words.length > 0 ? <span className="unseen">{words.join(", ")}</span> : null;
}
