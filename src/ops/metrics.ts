import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type DataType, dataTypes } from '../data-type.ts';
import type { StatusReport } from './status-report.ts';

const legs = ['bitbucket', 'sei'] as const;
export type Leg = (typeof legs)[number];

/** `partial`: SEI has the job's result, and some repositories are missing from it. */
const jobOutcomes = ['success', 'partial', 'failure'] as const;
export type JobOutcome = (typeof jobOutcomes)[number];

const codeClasses = ['2xx', '3xx', '4xx', '5xx', 'none'] as const;

/** From a quick answer to the deadline of a diff. */
const durationBuckets = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Those that config/prometheus asks for by name. */
const alertedCodes = ['INTERNAL'];

/** More codes than there are; a number of series that cannot grow, whatever is logged. */
const maxCodes = 300;

/**
 * What Prometheus gets to see, in one registry. Counters grow where the thing happens; gauges are set from the same
 * report that every other view is made of, when they are asked for. Labels have few values: names of repositories are
 * on the status page.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #codes = new Set<string>();

  readonly #requests = this.#counter(
    'requests_total',
    'Requests by leg (bitbucket, sei) and class of the answer; none: there was no answer, or an incomplete one.',
    ['leg', 'code_class'],
  );
  readonly #requestDuration = new Histogram({
    name: 'satellite_request_duration_seconds',
    help: 'Time from the start of a request to the last byte of its answer.',
    labelNames: ['leg'],
    buckets: durationBuckets,
    registers: [this.#registry],
  });
  readonly #throttled = this.#counter('throttled_total', 'Answers that asked for patience (429).', ['leg']);
  readonly #rateWait = this.#counter(
    'rate_wait_seconds_total',
    'Time that requests waited for the rate limit or a pause, summed over all of them.',
    ['leg'],
  );
  readonly #recordsCrawled = this.#counter('records_crawled_total', 'Records made from what Bitbucket answered.', [
    'type',
  ]);
  readonly #recordsPushed = this.#counter('records_pushed_total', 'Records that SEI has stored.', ['type']);
  readonly #pagesSpooled = this.#counter('pages_spooled_total', 'Pages that became durable here.');
  readonly #pagesPushed = this.#counter('pages_pushed_total', 'Pages that SEI has stored.');
  readonly #spoolPages = this.#gauge('spool_pages', 'Pages that wait for SEI.');
  readonly #spoolBytes = this.#gauge('spool_bytes', 'Bytes of the pages that wait for SEI.');
  readonly #spoolBytesMax = this.#gauge('spool_bytes_max', 'satellite.store.max_bytes: beyond it the crawl waits.');
  readonly #spoolOldest = this.#gauge(
    'spool_oldest_page_age_seconds',
    'Age of the page that has waited longest for SEI; 0: none waits.',
  );
  readonly #jobs = this.#counter(
    'jobs_total',
    'Jobs that have ended; partial: some repositories are missing from the result.',
    ['outcome'],
  );
  readonly #lastSuccess = this.#gauge(
    'last_success_timestamp_seconds',
    'When a request was last answered as it should be, in seconds since 1970.',
    ['leg'],
  );
  readonly #covered = this.#gauge('repositories_covered', 'Repositories of which SEI has acknowledged a scan.');
  readonly #failing = this.#gauge('repositories_failing', 'Repositories of which the last scan left something out.');
  readonly #coverageLag = this.#gauge(
    'coverage_lag_seconds',
    'Time since the end of the last scan that SEI has acknowledged, of the integration that is furthest behind.',
  );
  readonly #errors = this.#counter('errors_total', 'Warnings and errors by their code, as the README explains it.', [
    'code',
  ]);
  readonly #ready = this.#gauge('ready', '1: work can go on, as /readyz says.');
  readonly #live = this.#gauge('live', '1: the loop turns, as /livez says.');
  readonly #partFailing = this.#gauge(
    'part_failing',
    '1: this part keeps work from going on; integration is empty for parts of the whole process.',
    ['part', 'integration'],
  );

  /** @param options.ofProcess memory, CPU, event loop and so on of the process, too */
  constructor({ version, ofProcess }: { readonly version: string; readonly ofProcess: boolean }) {
    this.#gauge('build_info', 'The version, of the satellite and of Node.js; always 1.', ['version', 'node']).set(
      { version, node: process.version },
      1,
    );
    if (ofProcess) collectDefaultMetrics({ register: this.#registry });
    // A series that begins with its first event hides that event from rate().
    for (const leg of legs) {
      for (const code_class of codeClasses) this.#requests.inc({ leg, code_class }, 0);
      this.#requestDuration.zero({ leg });
      this.#throttled.inc({ leg }, 0);
    }
    this.#rateWait.inc({ leg: 'bitbucket' }, 0);
    for (const type of dataTypes) {
      this.#recordsCrawled.inc({ type }, 0);
      this.#recordsPushed.inc({ type }, 0);
    }
    for (const outcome of jobOutcomes) this.#jobs.inc({ outcome }, 0);
    for (const code of alertedCodes) {
      this.#codes.add(code);
      this.#errors.inc({ code }, 0);
    }
  }

  /** @param statusCode undefined: no answer */
  requestEnded(leg: Leg, statusCode: number | undefined, seconds: number): void {
    const code_class = codeClasses.find((each) => each.startsWith(String(statusCode).charAt(0))) ?? 'none';
    this.#requests.inc({ leg, code_class: statusCode === undefined ? 'none' : code_class });
    this.#requestDuration.observe({ leg }, seconds);
  }

  succeeded(leg: Leg, epochMs: number): void {
    this.#lastSuccess.set({ leg }, epochMs / 1000);
  }

  throttled(leg: Leg): void {
    this.#throttled.inc({ leg });
  }

  rateWaited(leg: Leg, seconds: number): void {
    this.#rateWait.inc({ leg }, seconds);
  }

  recordCrawled(type: DataType): void {
    this.#recordsCrawled.inc({ type });
  }

  pageSpooled(): void {
    this.#pagesSpooled.inc();
  }

  pagePushed(type: DataType, records: number): void {
    this.#pagesPushed.inc();
    this.#recordsPushed.inc({ type }, records);
  }

  jobEnded(outcome: JobOutcome): void {
    this.#jobs.inc({ outcome });
  }

  errorLogged(code: string): void {
    if (!this.#codes.has(code) && this.#codes.size < maxCodes) this.#codes.add(code);
    this.#errors.inc({ code: this.#codes.has(code) ? code : 'OTHER' });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** In Prometheus' text format. */
  async text(report: StatusReport): Promise<string> {
    this.#show(report);
    return this.#registry.metrics();
  }

  #show({ live, ready, parts, spool, coverage, failing }: StatusReport): void {
    this.#live.set(Number(live));
    this.#ready.set(Number(ready));
    // Those of integrations that are not configured any more must not stay as they were.
    this.#partFailing.reset();
    for (const { part, integration = '', state } of parts) {
      this.#partFailing.set({ part, integration }, Number(state === 'failing'));
    }
    this.#spoolPages.set(spool.pages);
    this.#spoolBytes.set(spool.bytes);
    this.#spoolBytesMax.set(spool.bytesMax);
    this.#spoolOldest.set(spool.oldestPageAgeSeconds);
    this.#covered.set(coverage.repositories);
    this.#failing.set(failing.repositories);
    this.#coverageLag.set(coverage.lagSeconds);
  }

  #counter<T extends string>(name: string, help: string, labelNames: readonly T[] = []): Counter<T> {
    return new Counter({ name: `satellite_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #gauge<T extends string>(name: string, help: string, labelNames: readonly T[] = []): Gauge<T> {
    return new Gauge({ name: `satellite_${name}`, help, labelNames, registers: [this.#registry] });
  }
}
