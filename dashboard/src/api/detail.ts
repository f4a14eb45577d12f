// Names for the shapes of one step in full, as in types.ts.
import type { components } from "./schema";

type Schemas = components["schemas"];
export type ValueInfo = Schemas["ValueInfo"];
export type TaskItem = Schemas["TaskItem"];
export type StepDetail = Schemas["StepAnswer"];
export type HistoryItem = Schemas["TransitionItem"];
export type HistoryPage = Schemas["HistoryAnswer"];
export type ValueItem = Schemas["ValueMember"];
export type ValuePage = Schemas["ValueAnswer"];
export type ElementPage = Schemas["ElementPage"];
/** What explains a failure is there only where the status of the run has room for it. */
export type FailureInfo = Schemas["StepFailure"] & { readonly detail?: Schemas["FailureDetail"] };
