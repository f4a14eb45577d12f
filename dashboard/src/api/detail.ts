// The shapes of one step in full: its values, tasks, transitions, elements.
export interface ValueInfo {
  readonly bytes: number;
  readonly type: string;
  readonly sensitive: boolean;
  readonly value?: unknown;
}

export interface TaskItem {
  readonly task: string;
  readonly path: string;
  readonly action: string;
  readonly round: number;
  readonly attempt: number;
  readonly phase: string;
  readonly startedAt?: string | null;
  readonly finishedAt?: string | null;
  readonly pod?: string | null;
  readonly worker?: string | null;
  readonly node?: string | null;
  readonly message?: string | null;
  readonly logs: boolean;
}

export interface FailureInfo {
  readonly kind: string;
  readonly message: string;
  readonly exception?: string | null;
  readonly file?: string | null;
  readonly line?: number | null;
  readonly retryable?: boolean | null;
  readonly detail?: {
    readonly function?: string | null;
    readonly source?: string | null;
    readonly origins?: readonly string[] | null;
    readonly traceback?: string | null;
    readonly log?: string | null;
  } | null;
}

export interface StepDetail {
  readonly path: string;
  readonly phase: string;
  readonly round?: number | null;
  readonly attempt?: number | null;
  readonly maxAttempts?: number | null;
  readonly startedAt?: string | null;
  readonly finishedAt?: string | null;
  readonly dueAt?: string | null;
  readonly timer?: string | null;
  readonly failure?: FailureInfo | null;
  readonly rollbackFailure?: FailureInfo | null;
  readonly arguments?: ValueInfo | null;
  readonly result?: ValueInfo | null;
  readonly tasks: readonly TaskItem[];
  readonly map?: Readonly<Record<string, number | null>> | null;
}

export interface HistoryItem {
  readonly number: number;
  readonly at: string;
  readonly path: string;
  readonly from?: string | null;
  readonly to: string;
  readonly round?: number | null;
  readonly attempt?: number | null;
  readonly action?: string | null;
  readonly cause: { readonly type: string; readonly by?: string | null; readonly text?: string | null };
}

export interface HistoryPage {
  readonly items: readonly HistoryItem[];
  readonly next?: string | null;
  readonly dropped: number;
}

export interface ValueItem {
  readonly key: string | number;
  readonly type: string;
  readonly bytes: number;
  readonly value?: unknown;
}

export interface ValuePage {
  readonly type: string;
  readonly bytes: number;
  readonly length?: number | null;
  readonly items?: readonly ValueItem[] | null;
  readonly text?: string | null;
  readonly value?: unknown;
  readonly next?: string | null;
}

export interface ElementItem {
  readonly index: number;
  readonly phase: string;
  readonly attempt?: number | null;
  readonly startedAt?: string | null;
  readonly finishedAt?: string | null;
  readonly message?: string | null;
  readonly waiting?: number | null;
}

export interface ElementPage {
  readonly items: readonly ElementItem[];
  readonly total?: number | null;
  readonly counts: Readonly<Record<string, number>>;
  readonly next?: string | null;
}
