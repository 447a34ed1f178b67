/** SEI's shapes on the wire (sei-protocol §1 to §3): snake_case, dates in epoch milliseconds, nulls left out. */

export interface ListWrapper<T> {
  readonly records: readonly T[];
  readonly count: number;
}

export interface Telemetry {
  readonly version: string;
  /** Milliseconds. */
  readonly uptime: number;
  /** MiB. */
  readonly memory: { readonly free: number; readonly total: number; readonly max: number };
  readonly cpu: { readonly cores: number };
  readonly jobs: {
    readonly total: number;
    readonly done: number;
    readonly running: number;
    readonly invalid_done_but_running: number;
    readonly invalid_not_done_but_not_running: number;
    readonly invalid_total: number;
  };
}

export interface AgentHandle {
  readonly agent_id: string;
  readonly agent_type: string;
  readonly controller_names: readonly string[];
  readonly tenant_id: string;
  readonly integration_ids: readonly string[];
  /** Only in register and heartbeat. */
  readonly telemetry?: Telemetry;
}

/** What a list of open jobs shows of each. */
export interface LiteJobRequest {
  readonly job_id: string;
  readonly controller_name?: string;
}

export interface CreateJobRequest extends LiteJobRequest {
  readonly query?: unknown;
  readonly tenant_id?: string;
  readonly integration_id?: string;
}

export interface JobException {
  readonly message: string;
  readonly stacktrace: readonly Readonly<Record<string, readonly string[]>>[];
}

interface JobFailure {
  readonly message: string;
  readonly severity: 'ERROR';
  readonly url: string;
}

/** There is no status: SEI takes it from `done`, `exception` and `result`. */
export interface JobReport {
  readonly id: string;
  readonly agent_id: string;
  readonly controller_name: string;
  readonly query: unknown;
  readonly done: boolean;
  readonly cancelled: boolean;
  readonly created_at: number;
  readonly done_at?: number;
  readonly exception?: JobException;
  readonly result?: unknown;
  readonly failures: readonly JobFailure[];
}

export interface StorageResult {
  readonly destination?: string;
  readonly records: readonly unknown[];
  readonly count?: number;
}
