// Icons, each a few strokes on a field of 16: every phase has a shape of its own, so that no colour is needed to tell it.
import { memo } from "react";
import type { ReactNode } from "react";
import type { IconName as PhaseIcon } from "../words/phases";

export type IconName = PhaseIcon | "graph" | "list" | "clock" | "history" | "data" | "open" | "close" | "next" | "search"
  | "sun" | "moon" | "auto" | "undo" | "retry" | "skip" | "cancel" | "suspend" | "resume" | "inbox" | "warn" | "info"
  | "map" | "switch" | "compose" | "transform" | "task" | "interrupt" | "finally" | "lock" | "reactor" | "person";

const PATHS: Readonly<Record<IconName, string>> = {
  pending: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11Z",
  running: "M8 2.5A5.5 5.5 0 1 1 2.5 8",
  retrying: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  waiting: "M5.5 8V3.8a1 1 0 0 1 2 0V7m0-.5V3a1 1 0 0 1 2 0v4m0-.5V4.2a1 1 0 0 1 2 0V10c0 2.5-1.5 4-3.7 4-1.8 0-2.7-.8-3.6-2.4L2.6 8.8c-.5-.9.7-1.6 1.3-.9L5.5 9.5",
  good: "m3 8.5 3.2 3.2L13 5",
  skipped: "M3 4l4 4-4 4M8 4l4 4-4 4M13.5 4v8",
  ignored: "M8 4.5v4.2M8 11.3v.2M2 13.5 8 2.5l6 11Z",
  bad: "m4 4 8 8m0-8-8 8",
  undoing: "M6 3 2.5 6.5 6 10M2.8 6.5H10a3.5 3.5 0 0 1 0 7H7",
  undone: "M6 3 2.5 6.5 6 10M2.8 6.5H10a3.5 3.5 0 0 1 0 7H7",
  "undone-failed": "M5 3 2.5 5.5 5 8M2.8 5.5H8M8.5 9l4.5 4.5m0-4.5-4.5 4.5",
  stopped: "M4 4h8v8H4Z",
  suspended: "M5.5 3.5v9m5-9v9",
  recovering: "M8 5v3.5l2.2 1.5M8 2.5a5.5 5.5 0 1 1-5 3.2M2.5 2.8v3h3",
  halted: "M5.5 2.5h5l3 3v5l-3 3h-5l-3-3v-5Z",
  graph: "M2.5 5.5h4v5h-4ZM10 2.5h3.5V6H10Zm0 7.500h3.5v3.500H10ZM6.5 8H8M8 4.200v7.600M8 4.200h2M8 11.800h2",
  list: "M5.500 4H14M5.500 8H14M5.500 12H14M2.200 4h.6M2.200 8h.6M2.200 12h.6",
  clock: "M8 4.500V8l2.500 1.500M8 2.500a5.500 5.500 0 1 1 0 11 5.500 5.500 0 0 1 0-11Z",
  history: "M2 4h5M5 8h7M9 12h5",
  data: "M6 2.500C4 2.500 5 7 2.500 8 5 9 4 13.500 6 13.500M10 2.500C12 2.500 11 7 13.500 8 11 9 12 13.500 10 13.500",
  open: "M8 3v10M3 8h10",
  close: "M3 8h10",
  next: "m6 3.500 4.500 4.500L6 12.500",
  search: "M7 2.500a4.500 4.500 0 1 1 0 9 4.500 4.500 0 0 1 0-9ZM10.500 10.500l3 3",
  sun: "M8 5.200a2.800 2.800 0 1 1 0 5.600 2.800 2.800 0 0 1 0-5.600ZM8 1.500v1.200M8 13.300v1.200M1.500 8h1.200M13.300 8h1.200M3.400 3.400l.9.9M11.700 11.700l.9.9M3.400 12.600l.9-.9M11.700 4.300l.9-.9",
  moon: "M13.500 9.500A5.800 5.800 0 0 1 6.500 2.500a5.800 5.800 0 1 0 7 7Z",
  auto: "M8 2.500a5.500 5.500 0 1 1 0 11ZM8 2.500a5.500 5.500 0 0 0 0 11Z",
  undo: "M6 3 2.500 6.500 6 10M2.800 6.500H10a3.500 3.500 0 0 1 0 7H7",
  retry: "M13 8a5 5 0 1 1-1.600-3.700M13 2v3h-3",
  skip: "M3 4l4 4-4 4M8 4l4 4-4 4M13.500 4v8",
  cancel: "M4 4h8v8H4Z",
  suspend: "M5.500 3.500v9m5-9v9",
  resume: "M5 3v10l8-5Z",
  inbox: "M2.500 9.500 4.300 3.500h7.400l1.800 6M2.500 9.500v3.500h11V9.500H10a2 2 0 0 1-4 0Z",
  warn: "M8 6v3.200M8 11.500v.2M2 13.500 8 2.500l6 11Z",
  info: "M8 7.300v3.700M8 5v.2M8 2.500a5.500 5.500 0 1 1 0 11 5.500 5.500 0 0 1 0-11Z",
  map: "M2.500 2.500H7V7H2.500ZM9 2.500h4.500V7H9ZM2.500 9H7v4.500H2.500ZM9 9h4.500v4.500H9Z",
  switch: "M2.500 8H6l3-4h4.500M6 8l3 4h4.500",
  compose: "M2.500 2.500h11v11h-11ZM5.500 5.500h5v5h-5Z",
  transform: "M3 11 6.500 5l3 5L13 4",
  task: "M6 4.500 2.500 8 6 11.500M10 4.500 13.500 8 10 11.500",
  interrupt: "M8 8.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5ZM3 13.500c.5-2.500 2.500-3.500 5-3.500s4.500 1 5 3.500",
  finally: "M3.500 14V2.500M3.500 3h9l-2 2.700 2 2.800h-9",
  lock: "M4 7.500h8v6H4ZM5.500 7.500V5a2.500 2.500 0 0 1 5 0v2.500",
  reactor: "M2.500 4h7a3.500 3.500 0 0 1 0 8h-6M6 9.500 3.300 12 6 14.500",
  person: "M8 8.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5ZM3 13.500c.5-2.500 2.500-3.500 5-3.500s4.500 1 5 3.500",
};

interface Props {
  readonly name: IconName;
  readonly label?: string;
}

export const Icon = memo(function Icon({ name, label }: Props): ReactNode {
  return (
    <svg className={`icon icon-${name}`} viewBox="0 0 16 16" {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": true })}>
      <path d={PATHS[name]} />
    </svg>
  );
});
