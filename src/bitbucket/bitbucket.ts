import { SatelliteError } from '../errors.ts';
import type { BitbucketClient } from './client.ts';
import type { CommitFiles } from './file-change.ts';
import { countJsonDiff } from './json-diff.ts';
import { type Page, pages, values } from './paging.ts';
import { countRawDiff } from './raw-diff.ts';
import type {
  BitbucketActivity,
  BitbucketBranch,
  BitbucketCommit,
  BitbucketJsonDiff,
  BitbucketProject,
  BitbucketPullRequest,
  BitbucketRateLimit,
  BitbucketRepository,
  BitbucketTag,
} from './types.ts';

/** A raw diff is not capped, so it may also be too much to arrive in time; the JSON form is cut short by the server. */
const jsonMayDo = new Set([
  'BITBUCKET_ROUTE_UNKNOWN',
  'BITBUCKET_DIFF_UNREADABLE',
  'BITBUCKET_DIFF_INCOMPLETE',
  'BITBUCKET_TIMEOUT',
  'BITBUCKET_SERVER_ERROR',
  'BITBUCKET_REQUEST_REFUSED',
]);

/** What was cut or refused on its way once may be whole in the next scan. */
const mayComeWhole = new Set(['BITBUCKET_DIFF_INCOMPLETE', 'BITBUCKET_REQUEST_REFUSED', 'BITBUCKET_FORBIDDEN']);

/** What stands before the server may refuse a text for what is in it; where it is the server, JSON is no other matter. */
function mayJsonDo({ code, statusCode }: SatelliteError): boolean {
  return jsonMayDo.has(code) || (code === 'BITBUCKET_FORBIDDEN' && statusCode === 403);
}

/** Where a repository is found now; its identity is its numeric id. */
export interface RepositoryPath {
  readonly projectKey: string;
  readonly slug: string;
}

export interface CommitRange {
  /** Absent: the tip of the default branch as it is now. */
  readonly until?: string;
  /** Absent: down to the root. */
  readonly since?: string;
}

/**
 * The resources of Bitbucket Data Center that the crawl reads (bitbucket-dc-rest §5), at the largest page size each is
 * known to allow; the server clamps what it does not allow.
 */
export class Bitbucket {
  readonly client: BitbucketClient;
  #rawDiffKnown = true;
  #defaultBranchKnown = true;

  constructor(client: BitbucketClient) {
    this.client = client;
  }

  /** Everything the user may see, personal and archived repositories included. `archived` is ignored before 8.0. */
  async *repositoryPages(): AsyncGenerator<Page<BitbucketRepository>, void, undefined> {
    yield* pages<BitbucketRepository>(this.client, 'repos', { archived: 'ALL', limit: 1000 });
  }

  /** One repository, under its present name where it was renamed. */
  async repository(repository: RepositoryPath): Promise<BitbucketRepository> {
    return this.client.getJson<BitbucketRepository>(pathOf(repository));
  }

  /** Those that the user may see. */
  async *projects(): AsyncGenerator<Page<BitbucketProject>, void, undefined> {
    yield* pages<BitbucketProject>(this.client, 'projects', { limit: 1000 });
  }

  /** The server's version, and the name of the user that it takes us for, as `userName`. */
  async server(): Promise<{ version: string | undefined; userName: string | undefined }> {
    const { body, userName } = await this.client.getAnswer<{ version?: unknown } | null>('application-properties');
    return { version: typeof body?.version === 'string' ? body.version : undefined, userName };
  }

  /**
   * The rate limit that is set for the user, which everybody may read of oneself; undefined where none is known: switched
   * off, not licensed, or not shown to a token (bitbucket-dc-rest §2, §3).
   */
  async rateLimit(userName: string): Promise<BitbucketRateLimit | undefined> {
    try {
      return await this.client.getJson<BitbucketRateLimit>(
        `admin/rate-limit/settings/users/${encodeURIComponent(userName)}`,
      );
    } catch (error) {
      if (!(error instanceof SatelliteError)) throw error;
      // A proxy may hide all of /admin, or send to a login page.
      const isHidden = error.statusCode === 404;
      if (!isHidden && !['gone', 'unsupported', 'permission', 'config'].includes(error.kind)) throw error;
      return undefined;
    }
  }

  /** The name of the user that Bitbucket takes us for; undefined for anonymous and for tokens without a user. */
  async userName(): Promise<string | undefined> {
    const { userName } = await this.client.getAnswer('application-properties');
    return userName;
  }

  /** Latest moved first; empty for an empty repository in every version. */
  async *branches(repository: RepositoryPath): AsyncGenerator<BitbucketBranch, void, undefined> {
    for await (const page of this.branchPages(repository)) yield* page.values;
  }

  async *branchPages(repository: RepositoryPath): AsyncGenerator<Page<BitbucketBranch>, void, undefined> {
    const query = { orderBy: 'MODIFICATION', limit: 1000 };
    yield* pages<BitbucketBranch>(this.client, `${pathOf(repository)}/branches`, query);
  }

  /**
   * The full name of the configured default branch, which may not exist; undefined in an empty repository of an older
   * server. `default-branch` came during 7.x, `branches/default` was there before.
   */
  async defaultBranch(repository: RepositoryPath): Promise<BitbucketBranch | undefined> {
    const resources = this.#defaultBranchKnown ? ['default-branch', 'branches/default'] : ['branches/default'];
    for (const resource of resources) {
      try {
        return await this.client.getJson<BitbucketBranch | undefined>(`${pathOf(repository)}/${resource}`);
      } catch (error) {
        if (!(error instanceof SatelliteError)) throw error;
        if (error.code === 'BITBUCKET_NO_DEFAULT_BRANCH') return undefined;
        if (error.kind !== 'unsupported') throw error;
        if (resource === 'default-branch') this.#defaultBranchKnown = false;
      }
    }
    return undefined;
  }

  /** Newest first, merges included. */
  async *commits(
    repository: RepositoryPath,
    range: CommitRange,
    start = 0,
  ): AsyncGenerator<Page<BitbucketCommit>, void, undefined> {
    yield* pages<BitbucketCommit>(
      this.client,
      `${pathOf(repository)}/commits`,
      { until: range.until, since: range.since, merges: 'include', limit: 100 },
      start,
    );
  }

  /** All commits of the default branch: git counts the whole history for this. */
  async commitCount(repository: RepositoryPath): Promise<number | undefined> {
    const query = { withCounts: true, limit: 1 };
    const page = await this.client.getJson<{ totalCount?: unknown }>(`${pathOf(repository)}/commits`, query);
    return typeof page.totalCount === 'number' ? page.totalCount : undefined;
  }

  /**
   * The files of a commit against its first parent with their line counts. The raw text is asked for, streamed and
   * counted: few bytes, no cap. A server that does not know it is remembered and asked for JSON from then on, whose
   * answer may be cut.
   *
   * @throws SatelliteError `BITBUCKET_ROUTE_UNKNOWN`, retryable: this server has sent raw diffs before, does not know them
   * now, and the other form is cut; what the raw diff failed with, where it may be whole later and the other form is cut
   */
  async commitFiles(repository: RepositoryPath, commit: BitbucketCommit): Promise<CommitFiles> {
    const first = this.#rawDiffKnown ? await this.#tryRawDiff(repository, commit) : undefined;
    if (first !== undefined && !(first instanceof SatelliteError)) return first;
    const counted = await this.#jsonDiff(repository, commit).catch((error) => {
      // Whoever cuts the one form cuts the other: then it is of this diff that the first one speaks.
      throw first?.code === 'BITBUCKET_DIFF_INCOMPLETE' && error.kind === 'retryable' ? first : error;
    });
    if (!counted.truncated) return counted;
    // What is counted here is kept for ever and SEI never corrects it: what is cut short is taken only where there is
    // no other form now, and never was on this server.
    const raw = first ?? (await this.#tryRawDiff(repository, commit));
    if (!(raw instanceof SatelliteError)) return raw;
    if (raw.code === 'BITBUCKET_ROUTE_UNKNOWN' && this.client.hasSentRawDiff) throw suddenlyUnknown(raw);
    if (mayComeWhole.has(raw.code)) throw raw;
    return counted;
  }

  /** The error of a raw diff where the JSON form may do instead; others are thrown. */
  async #tryRawDiff(repository: RepositoryPath, commit: BitbucketCommit): Promise<CommitFiles | SatelliteError> {
    try {
      const counted = await this.#rawDiff(repository, commit);
      this.#rawDiffKnown = true;
      this.client.noteRawDiff();
      return counted;
    } catch (error) {
      if (!(error instanceof SatelliteError) || !mayJsonDo(error)) throw error;
      // Everything but an unknown route is a matter of this commit alone.
      if (error.code === 'BITBUCKET_ROUTE_UNKNOWN') this.#rawDiffKnown = this.client.hasSentRawDiff;
      return error;
    }
  }

  async #jsonDiff(repository: RepositoryPath, commit: BitbucketCommit): Promise<CommitFiles> {
    const diff = await this.client.getJson<BitbucketJsonDiff>(
      `${pathOf(repository)}/commits/${encodeURIComponent(commit.id)}/diff`,
      { contextLines: 0, withComments: false },
    );
    return countJsonDiff(diff);
  }

  async *tags(repository: RepositoryPath): AsyncGenerator<Page<BitbucketTag>, void, undefined> {
    yield* pages<BitbucketTag>(this.client, `${pathOf(repository)}/tags`, { limit: 1000 });
  }

  /** Pull requests that target this repository. A hundred a page: each carries two whole repositories. */
  async *pullRequests(
    repository: RepositoryPath,
    state: 'ALL' | 'OPEN',
  ): AsyncGenerator<Page<BitbucketPullRequest>, void, undefined> {
    yield* pages<BitbucketPullRequest>(this.client, `${pathOf(repository)}/pull-requests`, {
      state,
      order: 'NEWEST',
      withProperties: true,
      withAttributes: false,
      limit: 100,
    });
  }

  async pullRequest(repository: RepositoryPath, id: number): Promise<BitbucketPullRequest> {
    return this.client.getJson<BitbucketPullRequest>(`${pathOf(repository)}/pull-requests/${id}`);
  }

  /** Newest first. A hundred a page: each may carry a whole diff. */
  async *activities(repository: RepositoryPath, id: number): AsyncGenerator<BitbucketActivity, void, undefined> {
    yield* values<BitbucketActivity>(this.client, `${pathOf(repository)}/pull-requests/${id}/activities`, {
      limit: 100,
    });
  }

  async *pullRequestCommits(repository: RepositoryPath, id: number): AsyncGenerator<BitbucketCommit, void, undefined> {
    yield* values<BitbucketCommit>(this.client, `${pathOf(repository)}/pull-requests/${id}/commits`, { limit: 100 });
  }

  async #rawDiff(repository: RepositoryPath, commit: BitbucketCommit): Promise<CommitFiles> {
    return this.client.streamText(
      `${pathOf(repository)}/diff`,
      { until: commit.id, since: commit.parents?.[0]?.id, contextLines: 0 },
      async (chunks, contentType) => {
        if (contentType.includes('json')) {
          throw new SatelliteError('The server answers JSON where the raw diff was asked for', {
            code: 'BITBUCKET_ROUTE_UNKNOWN',
            kind: 'unsupported',
          });
        }
        return countRawDiff(chunks);
      },
    );
  }
}

function suddenlyUnknown(cause: SatelliteError): SatelliteError {
  return new SatelliteError('Bitbucket does not know the raw diff any more, and the JSON form of it is cut short', {
    code: 'BITBUCKET_ROUTE_UNKNOWN',
    kind: 'retryable',
    cause,
    ...(cause.url === undefined ? {} : { url: cause.url }),
    // It is also what a gateway says that blocks a text: then it is a matter of this diff.
    ...(cause.statusCode === 406 ? { statusCode: 406 } : {}),
  });
}

/** Keys and slugs may hold `~`, dots, `#`, `%`, `+` and spaces. */
export function pathOf({ projectKey, slug }: RepositoryPath): string {
  return `projects/${encodeURIComponent(projectKey)}/repos/${encodeURIComponent(slug)}`;
}
