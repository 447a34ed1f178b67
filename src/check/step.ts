export type StepStatus = 'ok' | 'warning' | 'failed' | 'skipped';
export type LegName = 'bitbucket' | 'sei' | 'machine';

/** One line of a check; `schemas/check.schema.json` describes it for other programs. */
export interface Step {
  /** Stable name of the kind of step; with several names in `repos` there are several steps of one kind. */
  readonly id: string;
  readonly title: string;
  readonly leg?: LegName;
  /** Id of the integration. */
  readonly integration?: string;
  readonly status: StepStatus;
  /** How long it took. */
  readonly ms: number;
  /** What was found; may have several lines. */
  readonly detail?: string;
  /** What to do next. */
  readonly hint?: string;
  /** Of a failure, and of a warning that has one: the README's troubleshooting table explains each. */
  readonly code?: string;
}

/** What a step has found, said as soon as it is known. */
export interface Found {
  readonly detail?: string;
  readonly hint?: string;
  readonly code?: string;
  /** It works, but somebody should look at it. */
  readonly warning?: boolean;
}

export type Tell = (found: Found) => void;
