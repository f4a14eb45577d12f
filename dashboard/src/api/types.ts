// Names for the shapes of the OpenAPI document, from which schema.d.ts is generated (`make dashboard-types`).
import type { components } from "./schema";

type Schemas = components["schemas"];
export type RunItem = Schemas["RunItem"];
export type RunPage = Schemas["RunPage"];
export type RemovedRun = Schemas["RemovedRun"];
export type RunAnswer = Schemas["RunAnswer"];
export type RunStatus = Schemas["RunStatus"];
export type StepStatus = Schemas["StepStatus"];
export type MapStatus = Schemas["MapStatus"];
export type RunGraph = Schemas["RunGraph"];
export type Graph = Schemas["Graph"];
export type GraphNode = Schemas["GraphNode"];
export type GraphEdge = Schemas["GraphEdge"];
export type ReactorItem = Schemas["ReactorItem"];
export type ReactorPage = Schemas["ReactorPage"];
export type ReactorAnswer = Schemas["ReactorAnswer"];
export type InboxItem = Schemas["InboxItem"];
export type InboxPage = Schemas["InboxPage"];
export type Json = unknown;
export type JsonObject = Readonly<Record<string, unknown>>;
