import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { DataType } from '../data-type.ts';
import type { SatelliteError } from '../errors.ts';
import { Health } from './health.ts';
import { HourlyDeliveries } from './hourly-deliveries.ts';
import { type Leg, Metrics } from './metrics.ts';
import type { Redactor } from './redact.ts';
import { RequestRate } from './request-rate.ts';
import { type InFlight, RequestWatch } from './request-watch.ts';
import { type LastJob, redactedReport, type StatusFacts, type StatusReport, statusReport } from './status-report.ts';

/** What the client of a leg tells of its requests. */
export interface RequestObserver {
  /** Undefined: how long it takes says nothing. */
  begun?(): InFlight;
  /** @param error undefined: it was answered with what was asked for */
  ended(seconds: number, error?: SatelliteError): void;
  throttled(): void;
  /** A request was held back by the rate limit or a pause. */
  waited(seconds: number): void;
}

export interface MonitorOptions {
  readonly clock: Clock;
  readonly version: string;
  /** Takes secrets out of what others said, before it gets into the report; undefined: there are none. */
  readonly redactor?: Pick<Redactor, 'text'>;
  /** Undefined: a random one. */
  readonly instance?: string;
  /** Metrics of the process, too. */
  readonly ofProcess?: boolean;
}

const nothingYet: StatusFacts = {
  integrations: [],
  spool: { pages: 0, bytes: 0, bytesMax: 0, oldestAddedAtMs: undefined },
  coveredRepositories: 0,
  failing: { repositories: 0, listed: [] },
};

/** Bitbucket answers a page within a second or two, and so does a diff; half a minute is what an outage may go unseen. */
const maxSilentMs = 20_000;

const noAnswer = {
  code: 'BITBUCKET_TIMEOUT',
  message: `None of the requests under way has had an answer for ${maxSilentMs / 1000} s`,
  hint: 'Bitbucket, or a proxy before it, takes requests and does not answer: ask those who run it.',
};

/** However often it is asked, the store is not. */
const factsMaxAgeMs = 2_000;

/**
 * What a process knows of itself, for all who look at it: it outlives the daemons, so that a reload leaves no hole.
 * Whoever does the work tells it here; it is asked by `report` alone.
 */
export class Monitor {
  /** Tells this process from any other that may answer in its place. */
  readonly instance: string;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly #clock: Clock;
  readonly #version: string;
  readonly #redactor: Pick<Redactor, 'text'> | undefined;
  readonly #startedAtMs: number;
  readonly #deliveries = new HourlyDeliveries();
  readonly #rates = new Map<string, RequestRate>();
  readonly #watches = new Map<string, RequestWatch>();
  readonly #lastJobs = new Map<string, LastJob>();
  #source: (() => StatusFacts) | undefined;
  #facts = nothingYet;
  #factsAtElapsedMs = Number.NEGATIVE_INFINITY;

  constructor({ clock, version, redactor, instance = randomUUID(), ofProcess = false }: MonitorOptions) {
    this.#clock = clock;
    this.#version = version;
    this.instance = instance;
    this.#redactor = redactor;
    this.#startedAtMs = clock.now();
    this.metrics = new Metrics({ version, ofProcess });
    this.health = new Health(clock);
  }

  /** For one integration's requests: those of all its jobs. */
  ofBitbucket(integrationId: string): RequestObserver {
    const rate = this.#rates.get(integrationId) ?? new RequestRate();
    this.#rates.set(integrationId, rate);
    const watch = this.#watches.get(integrationId) ?? new RequestWatch(() => this.#clock.elapsedMs());
    this.#watches.set(integrationId, watch);
    return {
      ...this.#observer('bitbucket'),
      begun: () => watch.begun(),
      ended: (seconds, error) => {
        rate.note(this.#clock.elapsedMs());
        this.#ended('bitbucket', seconds, error);
        if (error === undefined || hasAnswered(error)) this.health.worked('bitbucket_requests', integrationId);
        else this.health.failed('bitbucket_requests', error, integrationId);
      },
    };
  }

  /**
   * An answer that does not come is no success: who waits for one would wait for its deadline unseen. Nor is a failure
   * that is not tried again for long, because the server asked for that.
   */
  noteSilence(): void {
    for (const [integrationId, watch] of this.#watches) {
      if (watch.silentMs() >= maxSilentMs) this.health.failedForGood('bitbucket_requests', noAnswer, integrationId);
    }
    for (const part of ['bitbucket_requests', 'sei_push'] as const) this.health.insist(part, maxSilentMs);
  }

  /** Whether SEI works is judged by whole rounds with it and by pages (`sei`, `sei_push`): a 404 may be as it should be. */
  ofSei(): RequestObserver {
    return this.#observer('sei');
  }

  requestsPerSecond(integrationId: string): number {
    return this.#rates.get(integrationId)?.perSecond(this.#clock.elapsedMs()) ?? 0;
  }

  pagePushed(type: DataType, records: number): void {
    this.metrics.pagePushed(type, records);
    this.#deliveries.add(type, records, this.#clock.now());
  }

  jobEnded(integrationId: string, job: Omit<LastJob, 'endedAtMs'>): void {
    this.metrics.jobEnded(job.outcome);
    this.#lastJobs.set(integrationId, { ...job, endedAtMs: this.#clock.now() });
  }

  lastJob(integrationId: string): LastJob | undefined {
    return this.#lastJobs.get(integrationId);
  }

  /**
   * @param source asked for what only the running daemon knows; it may throw
   * @returns ends that: until the next one comes, the last that was known stands
   */
  watch(integrationIds: readonly string[], source: () => StatusFacts): () => void {
    this.health.setIntegrations(integrationIds);
    for (const known of [this.#rates, this.#watches, this.#lastJobs]) {
      for (const id of known.keys()) if (!integrationIds.includes(id)) known.delete(id);
    }
    this.#source = source;
    this.#factsAtElapsedMs = Number.NEGATIVE_INFINITY;
    return () => {
      if (this.#source !== source) return;
      this.#refresh();
      this.#source = undefined;
    };
  }

  report(): StatusReport {
    if (this.#clock.elapsedMs() - this.#factsAtElapsedMs >= factsMaxAgeMs) this.#refresh();
    const nowMs = this.#clock.now();
    const report = statusReport({
      instance: this.instance,
      version: this.#version,
      startedAtMs: this.#startedAtMs,
      nowMs,
      health: this.health.report(),
      facts: this.#facts,
      delivered: this.#deliveries.list(nowMs),
    });
    return this.#redactor === undefined ? report : redactedReport(report, this.#redactor);
  }

  /** A disk that cannot be read is a failing part of its own; what was known before is better than no answer. */
  #refresh(): void {
    if (this.#source === undefined) return;
    this.#factsAtElapsedMs = this.#clock.elapsedMs();
    try {
      this.#facts = this.#source();
    } catch {
      return;
    }
  }

  #observer(leg: Leg): RequestObserver {
    return {
      ended: (seconds, error) => this.#ended(leg, seconds, error),
      throttled: () => this.metrics.throttled(leg),
      waited: (seconds) => this.metrics.rateWaited(leg, seconds),
    };
  }

  #ended(leg: Leg, seconds: number, error: SatelliteError | undefined): void {
    this.metrics.requestEnded(leg, error === undefined ? 200 : error.statusCode, seconds);
    if (error === undefined) this.metrics.succeeded(leg, this.#clock.now());
  }
}

/** The server itself has answered, whatever it said: 502 to 504 come from what stands before it, or from its start. */
function hasAnswered({ kind, statusCode }: SatelliteError): boolean {
  if (kind === 'config') return false;
  if (kind !== 'retryable') return true;
  return statusCode !== undefined && (statusCode < 502 || statusCode > 504);
}
