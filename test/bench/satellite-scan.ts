import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { type Folder, SatelliteProcess, satelliteFolder } from '../simulators/satellite-process.ts';
import { type SeiSimulator, startSeiSimulator } from '../simulators/sei/simulator.ts';
import type { Latency, MadeRequest } from './answer-memory.ts';
import { type Bitbucket, credentials } from './bitbucket.ts';

export interface ScanOrder {
  readonly bitbucket: Bitbucket;
  readonly latency?: Latency;
  /** `rate_limit.max_in_flight`, where it is not what the file has when it says nothing. */
  readonly maxInFlight?: number;
  /** The folder of a scan that came before, whose data directory is copied; absent: the first of all. */
  readonly after?: Folder;
  readonly fromMs?: number;
  readonly toMs: number;
  readonly metadata?: object;
}

export interface ScanFigures {
  readonly requests: readonly MadeRequest[];
  /** From the first request's arrival at Bitbucket to the end of its last answer. */
  readonly seconds: number;
  /** From the start of the process to its end: with its start, and the pages and reports for SEI. */
  readonly processSeconds: number;
  readonly cpuSeconds: number;
  readonly peakRssMib: number;
  readonly commits: number;
  readonly pullRequests: number;
  /** Of one core, while the satellite asked: near 1 the server would be what is measured. */
  readonly serverLoad: number;
  /** Answers that git had to make. */
  readonly unknown: number;
  readonly throttled: number;
}

const integrationId = '4711';
const bytesPerMib = 2 ** 20;

/** The built satellite as a process: takes one job from a simulated SEI, does it, and ends. */
export class Satellites implements AsyncDisposable {
  readonly violations: string[] = [];
  readonly #folders: Folder[] = [];

  async scan(order: ScanOrder): Promise<ScanFigures & { readonly folder: Folder }> {
    const { bitbucket, latency, after, fromMs, toMs } = order;
    await using sei = await startSeiSimulator();
    const folder = await this.#folder(sei, order);
    if (after !== undefined) await cp(join(after.path, 'data'), join(folder.path, 'data'), { recursive: true });
    const window = fromMs === undefined ? {} : { from: fromMs };
    const jobId = sei.addJob({ integrationId, to: toMs, ...window, shouldFetchRepos: fromMs === undefined });
    await bitbucket.reset(latency);
    const ended = await new SatelliteProcess(folder.path, ['run', '--once']).finished();
    const { requests, seconds, unknown, throttled, cpuSeconds: serverCpuSeconds } = await bitbucket.traffic();
    if (ended.exitCode !== 0) throw new Error(`the satellite ended with ${ended.exitCode}:\n${ended.stderr}`);
    this.violations.push(...sei.violations);
    const { commits, pullRequests } = sei.ingested(jobId);
    return {
      folder,
      requests,
      seconds,
      unknown,
      throttled,
      processSeconds: ended.seconds,
      cpuSeconds: ended.cpuSeconds ?? Number.NaN,
      peakRssMib: (ended.peakRssBytes ?? Number.NaN) / bytesPerMib,
      commits: commits.length,
      pullRequests: pullRequests.length,
      serverLoad: serverCpuSeconds / seconds,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.#folders) await folder.remove();
  }

  async #folder(sei: SeiSimulator, { bitbucket, metadata, maxInFlight }: ScanOrder): Promise<Folder> {
    const folder = await satelliteFolder({
      sei,
      bitbucket: { url: bitbucket.url, ...credentials },
      integrationId,
      metadata: { backfill_days: backfillDays, ...metadata },
      ...(maxInFlight === undefined ? {} : { rateLimit: { max_in_flight: maxInFlight } }),
    });
    this.#folders.push(folder);
    return folder;
  }
}

/** Longer than any history here, and yet a window with a beginning, as an operator would have it. */
export const backfillDays = 3650;
