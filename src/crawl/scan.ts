import type { Bitbucket } from '../bitbucket/bitbucket.ts';
import type { Clock } from '../clock.ts';
import type { IntegrationConfig } from '../config/config.ts';
import type { Failure, Job } from '../store/jobs.ts';
import type { KnownPullRequest } from '../store/pull-requests.ts';
import type { CoveredTip } from '../store/slices.ts';
import type { Store } from '../store/store.ts';
import type { BranchSelector } from './branch-filter.ts';
import type { CommitFilesReader } from './commit-files.ts';
import type { GitSource } from './git-source.ts';
import type { PullRequestRoom } from './pull-request-room.ts';

/** Our run of a job, as the crawl of each slice sees it. */
export interface Scan {
  readonly job: Job;
  readonly integration: IntegrationConfig;
  readonly bitbucket: Bitbucket;
  readonly store: Store;
  readonly clock: Clock;
  readonly commitFiles: CommitFilesReader;
  readonly pullRequestRoom: PullRequestRoom;
  readonly branchSelector: BranchSelector;
  /** Undefined: everything comes by REST. */
  readonly git?: GitSource | undefined;
  /** Counts and reports a part that could not be read, or not in full, where the crawl can go on without it. */
  readonly addFailure: (failure: Failure, code: string) => void;
}

/** One step of a slice's crawl. */
export interface Crawled {
  /** What SEI gets; absent where there is only something to remember. */
  readonly record?: object;
  /** From where to go on when this is the last step that became durable. */
  readonly cursor?: unknown;
  readonly found?: KnownPullRequest;
}

/** Ends with what the slice adds to the coverage. */
export type SliceCrawl = AsyncGenerator<Crawled, readonly CoveredTip[], undefined>;
