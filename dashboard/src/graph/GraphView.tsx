// The graph of a run or a reactor: to be panned, zoomed, opened and walked through by keys.
import { Controls, MiniMap, ReactFlow, ReactFlowProvider, useReactFlow, useStore } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { ReactNode, RefObject } from "react";
import type { Graph, RunStatus } from "../api/types";
import { Empty, Spinner } from "../ui/states";
import { stepLook, urgency } from "../words/phases";
import { GraphActions, GraphDetail } from "./actions";
import type { Detail } from "./actions";
import { Arrows } from "./Arrows";
import { flowOf, nothingKept } from "./flow";
import type { StepNode } from "./flow";
import { Legend } from "./Legend";
import { neighbour } from "./neighbour";
import { openAtFirst, sceneOf } from "./scene";
import type { Scene } from "./scene";
import { ScopeBox, StepBox } from "./StepNode";
import { useDirection } from "./useDirection";
import { usePlaced } from "./usePlaced";
import "@xyflow/react/dist/base.css";
import "./graph.css";

const NODE_TYPES = { step: StepBox, scope: ScopeBox };
const READABLE_ZOOM = 0.55;
const FAR_ZOOM = 0.42;
const TINY_ZOOM = 0.2;
const MINIMAP_FROM = 25;
/** Up to so many boxes are drawn whether or not they are seen: they are moved more easily than they come and go. */
const ALL_DRAWN: Readonly<Record<Detail, number>> = { all: 100, name: 1500, colour: 1500 };
const STILL_MS = 500;

interface Props {
  readonly graph: Graph;
  readonly status: RunStatus | undefined;
  readonly selected: string | undefined;
  readonly onSelect: (path: string | undefined) => void;
  readonly marked?: ReadonlySet<string>;
}

export function GraphView(props: Props): ReactNode {
  if (props.graph.nodes.length === 0) return <Empty icon="graph" title="There are no steps to show" />;
  return <ReactFlowProvider><Drawn {...props} /></ReactFlowProvider>;
}

function Drawn({ graph, status, selected, onSelect, marked }: Props): ReactNode {
  const frame = useRef<HTMLDivElement>(null);
  const direction = useDirection(frame);
  const [open, setOpen] = useState(() => openAtFirst(graph));
  const scene = useMemo(() => sceneOf(graph, status, open, marked), [graph, status, open, marked]);
  const { placed, problem, shape } = usePlaced(scene, direction);
  const [kept] = useState(() => ({ flow: nothingKept() }));
  const flow = useMemo(() => {
    if (placed) kept.flow = flowOf(scene, placed, selected, kept.flow); // eslint-disable-line react-hooks/immutability -- a cache of the same values
    return { nodes: [...kept.flow.nodes.values()], arrows: [...kept.flow.arrows.values()] };
  }, [scene, placed, selected, kept]);
  const select = useCallback((path: string) => onSelect(path), [onSelect]);
  const toggle = useCallback((path: string) => setOpen((before) => toggled(before, path)), []);
  const actions = useMemo(() => ({ select, toggle }), [select, toggle]);
  const move = useMoving(frame);
  const detail = useStore((state) => detailAt(state.transform[2]));

  return (
    <div className="graph" ref={frame} data-far={detail !== "all" || undefined}>
      <GraphActions value={actions}><GraphDetail value={detail}>
        {!placed && (problem ? <Empty icon="warn" title="The graph could not be laid out"><p>{problem}</p></Empty> : <Spinner label="Drawing the graph" />)}
        {placed && (
          <ReactFlow
            nodes={flow.nodes} nodeTypes={NODE_TYPES}
            onlyRenderVisibleElements={scene.steps.length > ALL_DRAWN[detail]} nodesDraggable={false} nodesConnectable={false} nodesFocusable={false}
            elementsSelectable={false} minZoom={0.02} maxZoom={1.75} panOnScroll zoomOnDoubleClick={false} deleteKeyCode={null}
            onMoveStart={() => move(true)} onMoveEnd={() => move(false)}
            onPaneClick={() => onSelect(undefined)} proOptions={{ hideAttribution: true }}
          >
            <Arrows drawn={flow.arrows} />
            <Look scene={scene} shape={shape} selected={selected} onSelect={onSelect} frame={frame} />
            <Legend arrows={scene.arrows} />
            <Controls showInteractive={false} />
            {scene.steps.length >= MINIMAP_FROM && <MiniMap pannable zoomable ariaLabel="Map of the whole graph" nodeClassName={miniClass} />}
          </ReactFlow>
        )}
      </GraphDetail></GraphActions>
    </div>
  );
}

const miniClass = (node: StepNode): string => `mini tone-${stepLook(node.data.step.phase).tone}`;

function toggled(open: ReadonlySet<string>, path: string): ReadonlySet<string> {
  const changed = new Set(open);
  if (!changed.delete(path)) changed.add(path);
  return changed;
}

interface LookProps extends Pick<Props, "selected" | "onSelect"> {
  readonly scene: Scene;
  readonly shape: string;
  readonly frame: RefObject<HTMLDivElement | null>;
}

/** Where whoever looks is: at all of it where that can be read, else at the step that matters most. */
function Look({ scene, shape, selected, onSelect, frame }: LookProps): ReactNode {
  const { fitView, getNodes, setCenter, getInternalNode, getZoom } = useReactFlow<StepNode>();
  const ready = useStore((state) => state.width > 0 && state.nodes.length > 0);
  const looked = useRef("");
  const centre = useCallback((path: string, zoom: number) => {
    const node = getInternalNode(path);
    if (!node) return;
    const { x, y } = node.internals.positionAbsolute;
    void setCenter(x + (node.width ?? 0) / 2, y + (node.height ?? 0) / 2, { zoom, duration: 0 });
  }, [getInternalNode, setCenter]);

  useEffect(() => {
    if (!ready || looked.current !== "") return;
    looked.current = shape;
    void fitView({ padding: 0.08, maxZoom: 1 }).then(() => {
      const first = scene.steps.toSorted((one, other) => urgency(one.phase) - urgency(other.phase))[0];
      if (getZoom() < READABLE_ZOOM && first) centre(selected ?? first.path, 0.85);
    });
  }, [ready, shape, fitView, getZoom, centre, scene, selected]);

  useZoomMark(frame);
  useEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    const walk = (event: globalThis.KeyboardEvent): void => {
      const next = neighbour(event.key, selected, getNodes(), scene.arrows);
      if (!next || !(event.target instanceof Element) || !event.target.closest(".step, .scope")) return;
      event.preventDefault();
      onSelect(next);
      centre(next, getZoom());
      requestAnimationFrame(() => element.querySelector<HTMLElement>(`[data-id="${CSS.escape(next)}"] button`)?.focus());
    };
    element.addEventListener("keydown", walk);
    return () => element.removeEventListener("keydown", walk);
  }, [frame, selected, getNodes, scene, onSelect, centre, getZoom]);
  return null;
}

/** Tell the frame its zoom, so that what is pressed stays large enough. */
function useZoomMark(frame: RefObject<HTMLDivElement | null>): void {
  const zoom = useStore((state) => state.transform[2]);
  useEffect(() => {
    frame.current?.style.setProperty("--zoom", String(zoom));
  }, [zoom, frame]);
}

/** Return what to call where moving begins and ends. Between turns of a wheel it has not ended. */
function useMoving(frame: RefObject<HTMLDivElement | null>): (moves: boolean) => void {
  const ending = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(ending.current), []);
  return useCallback((moves: boolean) => {
    clearTimeout(ending.current);
    if (moves) frame.current?.toggleAttribute("data-moving", true);
    else ending.current = setTimeout(() => frame.current?.removeAttribute("data-moving"), STILL_MS);
  }, [frame]);
}

const detailAt = (zoom: number): Detail => (zoom >= FAR_ZOOM ? "all" : zoom >= TINY_ZOOM ? "name" : "colour");
