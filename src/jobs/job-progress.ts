import type { RequestCounts } from '../bitbucket/client.ts';
import type { DataType } from '../data-type.ts';

/** How far a running job is. Items count when they are crawled, pages when they are durable. */
export class JobProgress {
  readonly startedAtElapsedMs: number;
  readonly items: Record<DataType, number> = { commits: 0, tags: 0, pull_requests: 0, repositories: 0 };
  slices = 0;
  slicesDone = 0;
  repositories = 0;
  repositoriesDone = 0;
  pages = 0;
  requests: RequestCounts = { requests: 0, throttled: 0, retried: 0 };
  /** Clones that were fetched, and repositories that were read by REST for want of one; undefined: none was to be. */
  git: { readonly gitFetches: number; readonly gitFallbacks: number } | undefined;
  /** Slices that were done before this process began: they say nothing about its speed. */
  slicesDoneBefore = 0;

  constructor(startedAtElapsedMs: number) {
    this.startedAtElapsedMs = startedAtElapsedMs;
  }
}

/** Several running jobs as one. */
export function summarise(jobs: readonly JobProgress[], elapsedMs: number) {
  const sum = (of: (job: JobProgress) => number) => jobs.reduce((total, job) => total + of(job), 0);
  const tookMs = Math.max(1, elapsedMs - Math.min(elapsedMs, ...jobs.map((job) => job.startedAtElapsedMs)));
  const requests = sum((job) => job.requests.requests);
  const doneHere = sum((job) => job.slicesDone - job.slicesDoneBefore);
  const open = sum((job) => job.slices - job.slicesDone);
  return {
    repositoriesDone: sum((job) => job.repositoriesDone),
    repositories: sum((job) => job.repositories),
    commits: sum((job) => job.items.commits),
    pullRequests: sum((job) => job.items.pull_requests),
    pages: sum((job) => job.pages),
    requests,
    requestsPerSecond: Math.round((requests / tookMs) * 10_000) / 10,
    throttled: sum((job) => job.requests.throttled),
    /** By the pace so far; undefined until there is one, and when all is read: how fast SEI takes pages is up to SEI. */
    secondsLeft: doneHere === 0 || open === 0 ? undefined : Math.ceil(((tookMs / doneHere) * open) / 1000),
  };
}

/** One line for a terminal. */
export function progressLine(jobs: readonly JobProgress[], elapsedMs: number): string {
  const now = summarise(jobs, elapsedMs);
  const left = now.secondsLeft === undefined ? '' : ` · ${duration(now.secondsLeft)} left`;
  const throttled = now.throttled === 0 ? '' : ` · throttled ${now.throttled}×`;
  return (
    `repositories ${now.repositoriesDone}/${now.repositories} · commits ${now.commits} · pull requests ${now.pullRequests}` +
    ` · pages ${now.pages} · ${now.requestsPerSecond} requests/s${throttled}${left}`
  );
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
