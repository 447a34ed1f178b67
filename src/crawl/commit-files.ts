import type { Bitbucket, RepositoryPath } from '../bitbucket/bitbucket.ts';
import type { CommitFiles, FileChange } from '../bitbucket/file-change.ts';
import type { BitbucketCommit } from '../bitbucket/types.ts';
import { SatelliteError } from '../errors.ts';
import type { Store } from '../store/store.ts';

/**
 * The counted files of commits, each read from Bitbucket once, ever: from the store where it is known, from a request
 * under way where another slice asks for the same commit. What was read waits in memory until `persist` is called in
 * the transaction of the page that holds it, so a commit costs no transaction of its own.
 */
export class CommitFilesReader {
  readonly #bitbucket: Bitbucket;
  readonly #store: Store;
  readonly #jobId: string;
  readonly #underWay = new Map<string, Promise<CommitFiles>>();
  readonly #unsaved = new Map<string, CommitFiles>();
  /** Diffs that failed in this scan; those that fail for good with their error, so that nobody asks again. */
  readonly #failed = new Map<string, SatelliteError | undefined>();
  readonly #unsavedFailures = new Set<string>();
  #persisting: readonly [string, CommitFiles][] = [];
  #persistingFailures: readonly string[] = [];

  constructor(bitbucket: Bitbucket, store: Store, jobId: string) {
    this.#bitbucket = bitbucket;
    this.#store = store;
    this.#jobId = jobId;
  }

  /**
   * @param fromClone where they may be had without a request
   * @throws SatelliteError where they cannot be read; `isLastingDiffError` tells whether they ever can
   */
  async read(
    repository: RepositoryPath,
    commit: BitbucketCommit,
    fromClone?: () => Promise<CommitFiles | undefined>,
  ): Promise<CommitFiles> {
    const known = this.#unsaved.get(commit.id) ?? fromStored(this.#store.commitFiles.get(commit.id));
    if (known !== undefined) return known;
    const lasting = this.#failed.get(commit.id);
    if (lasting !== undefined) throw lasting;
    let reading = this.#underWay.get(commit.id);
    if (reading === undefined) {
      reading = this.#fetch(repository, commit, fromClone).finally(() => this.#underWay.delete(commit.id));
      this.#underWay.set(commit.id, reading);
    }
    return reading;
  }

  /** To be called inside a transaction, and `persisted` once that has succeeded. */
  persist(): void {
    this.#persisting = [...this.#unsaved];
    for (const [sha, files] of this.#persisting) this.#store.commitFiles.add(sha, toStored(files));
    this.#persistingFailures = [...this.#unsavedFailures];
    for (const sha of this.#persistingFailures) this.#store.commitFiles.addFailure(this.#jobId, sha);
  }

  /** What was read meanwhile is not among it. */
  persisted(): void {
    for (const [sha] of this.#persisting) this.#unsaved.delete(sha);
    for (const sha of this.#persistingFailures) this.#unsavedFailures.delete(sha);
    this.#persisting = [];
    this.#persistingFailures = [];
  }

  /** What was counted elsewhere, and is whole, for whoever meets the commit again. */
  remember(sha: string, files: CommitFiles): void {
    this.#unsaved.set(sha, files);
  }

  async #fetch(
    repository: RepositoryPath,
    commit: BitbucketCommit,
    fromClone: (() => Promise<CommitFiles | undefined>) | undefined,
  ): Promise<CommitFiles> {
    try {
      const files = (await fromClone?.()) ?? (await this.#bitbucket.commitFiles(repository, commit));
      this.remember(commit.id, files);
      return files;
    } catch (error) {
      // A fork may still have the commit that this repository has not.
      if (!isOfThisDiff(error)) throw error;
      const lasting = this.#lastingError(commit.id, error);
      if (this.#failed.size < maxFailedRemembered) this.#failed.set(commit.id, lasting);
      throw lasting ?? error;
    }
  }

  /** Several pull requests may hold the commit: in one scan it has failed but once. */
  #lastingError(sha: string, error: SatelliteError): SatelliteError | undefined {
    if (isLastingDiffError(error)) return error;
    if (this.#failed.has(sha)) return undefined;
    this.#unsavedFailures.add(sha);
    const times = 1 + this.#store.commitFiles.failuresBefore(this.#jobId, sha);
    return times >= maxFailedScans ? new LastingDiffError(error) : undefined;
  }
}

/** Beyond it the server fails altogether, and to ask once more is the least of its troubles. */
const maxFailedRemembered = 10_000;

/** A commit waits for its counts for so many scans; SEI never corrects one that it got without them. */
const maxFailedScans = 3;

/**
 * The server has an answer for others, so it may be this diff that is too much for it, or that something before it refuses
 * for what is in it. What a proxy says in the place of the server says nothing about a diff.
 */
function isOfThisDiff(error: unknown): error is SatelliteError {
  if (!(error instanceof SatelliteError) || error.code === 'BITBUCKET_ANSWER_UNREADABLE') return false;
  const { code, kind, statusCode } = error;
  if (code === 'BITBUCKET_TIMEOUT' || code === 'BITBUCKET_DIFF_INCOMPLETE') return true;
  if (statusCode === undefined) return false;
  return kind === 'retryable' || kind === 'bug' || statusCode === 403 || statusCode === 406;
}

class LastingDiffError extends SatelliteError {
  constructor(cause: SatelliteError) {
    const { message, code, kind, url, statusCode, requestId } = cause;
    super(message, {
      code,
      kind,
      cause,
      ...(url === undefined ? {} : { url }),
      ...(statusCode === undefined ? {} : { statusCode }),
      ...(requestId === undefined ? {} : { requestId }),
    });
  }
}

/**
 * The server cannot make the diff of this very commit, now or later: it answers a plain 500 in whatever form it is asked
 * for, does not have it, or has failed on it in several scans. A repository that is closed or gone is another matter.
 */
export function isLastingDiffError(error: unknown): error is SatelliteError {
  return (
    error instanceof LastingDiffError ||
    (error instanceof SatelliteError && (error.statusCode === 500 || error.code === 'BITBUCKET_NO_SUCH_COMMIT'))
  );
}

interface StoredFiles {
  readonly f: readonly (string | number | null)[][];
  readonly t?: true;
  readonly o?: CommitFiles['omitted'];
}

function toStored({ files, truncated, omitted }: CommitFiles): StoredFiles {
  const f = files.map((file) => [file.sourcePath, file.destinationPath, file.linesAdded, file.linesRemoved]);
  return { f, ...(truncated ? { t: true } : {}), ...(omitted === undefined ? {} : { o: omitted }) };
}

function fromStored(stored: unknown): CommitFiles | undefined {
  if (stored === undefined) return undefined;
  const { f, t, o } = stored as StoredFiles;
  const files = f.map(
    ([sourcePath, destinationPath, linesAdded, linesRemoved]) =>
      ({ sourcePath, destinationPath, linesAdded, linesRemoved }) as FileChange,
  );
  return { files, truncated: t === true, ...(o === undefined ? {} : { omitted: o }) };
}
