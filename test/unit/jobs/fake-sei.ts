import { type ErrorKind, SatelliteError } from '../../../src/errors.ts';
import { scanController } from '../../../src/sei/handle.ts';
import { SeiClient } from '../../../src/sei/sei-client.ts';
import type { AgentHandle, CreateJobRequest, JobReport, LiteJobRequest } from '../../../src/sei/types.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { satellite } from '../sei/config.ts';

type Call = 'register' | 'heartbeat' | 'list' | 'accept' | 'reject' | 'report';

const kinds: Readonly<Record<number, ErrorKind>> = { 400: 'bug', 401: 'auth', 403: 'auth', 404: 'gone', 409: 'gone' };

/** What the client makes of a status. */
function seiError(statusCode: number): SatelliteError {
  return new SatelliteError(`SEI says ${statusCode}`, {
    code: `SEI_${statusCode}`,
    kind: kinds[statusCode] ?? 'retryable',
    statusCode,
  });
}

/** SEI's control plane in memory: it remembers every call, and fails where it is told to. */
export class FakeSei extends SeiClient {
  readonly calls: string[] = [];
  readonly reports: (readonly JobReport[])[] = [];
  readonly handles: AgentHandle[] = [];
  /** Jobs that nobody has accepted yet. */
  readonly open: CreateJobRequest[] = [];
  /** Of a report, what SEI takes note of. */
  acknowledges: (report: JobReport) => boolean = () => true;
  /** Called while a report is on its way. */
  whileReporting: () => void = () => undefined;
  readonly #failures = new Map<Call, SatelliteError[]>();

  constructor() {
    super(satellite(), { clock: new FakeClock() });
  }

  /** The next calls of this kind fail, one after the other. */
  fail(call: Call, ...statusCodes: readonly number[]): void {
    this.#failures.set(call, statusCodes.map(seiError));
  }

  offer(id: string, query: object = {}, others: Partial<CreateJobRequest> = {}): void {
    this.open.push({
      job_id: id,
      controller_name: scanController,
      query: { integration_key: { tenant_id: 'acme', integration_id: '7' }, from: 1_000, to: 2_000, ...query },
      ...others,
    });
  }

  override async register(handle: AgentHandle): Promise<void> {
    this.#call('register');
    this.handles.push(handle);
  }

  override async heartbeat(handle: AgentHandle): Promise<void> {
    this.#call('heartbeat');
    this.handles.push(handle);
  }

  override async listJobs(handle: AgentHandle): Promise<readonly LiteJobRequest[]> {
    this.#call('list');
    this.handles.push(handle);
    return this.open.map(({ job_id }) => ({ job_id }));
  }

  override async acceptJob(jobId: string): Promise<CreateJobRequest | undefined> {
    this.#call('accept', jobId);
    const index = this.open.findIndex(({ job_id }) => job_id === jobId);
    return index < 0 ? undefined : this.open.splice(index, 1)[0];
  }

  override async rejectJob(jobId: string, _agentId: string, status: string): Promise<void> {
    this.#call('reject', jobId, status);
  }

  override async report(jobs: readonly JobReport[]): Promise<ReadonlySet<string>> {
    this.#call('report');
    this.reports.push(jobs);
    this.whileReporting();
    return new Set(jobs.filter(this.acknowledges).map(({ id }) => id));
  }

  #call(call: Call, ...details: readonly string[]): void {
    this.calls.push([call, ...details].join(' '));
    const failure = this.#failures.get(call)?.shift();
    if (failure !== undefined) throw failure;
  }
}
