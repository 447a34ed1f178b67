import type { BitbucketClient } from '../bitbucket/client.ts';
import type { CommitFiles } from '../bitbucket/file-change.ts';
import type { BitbucketCommit, BitbucketRepository } from '../bitbucket/types.ts';
import type { IntegrationConfig } from '../config/config.ts';
import { SatelliteError, toSatelliteError } from '../errors.ts';
import { Clone } from '../git/clone.ts';
import type { ClonePlace, Clones } from '../git/clones.ts';
import { fetchClone } from '../git/fetch.ts';
import { gitVersion } from '../git/git-process.ts';
import type { Logger } from '../ops/logger.ts';
import { People } from './people.ts';
import { repositoryLabel } from './repository-path.ts';

export interface GitSourceOptions {
  readonly integration: IntegrationConfig;
  readonly client: Pick<BitbucketClient, 'git'>;
  readonly clones: Clones;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** So many repositories one after the other that may not be cloned: the server does not offer it. */
const maxRefusedInARow = 5;

/** A branch may have moved between the two; more often is a server that shows one thing and gives another. */
const maxFetchesPerRepository = 2;

/** A clone that is being read, and what it took to get it. */
interface Lease {
  readonly place: ClonePlace;
  readonly clone: Clone;
  fetches: number;
  /** REST from here on. */
  isGivenUp: boolean;
}

/**
 * The clones of one scan. Where there is no clone to be had, for whatever reason, there is one warning and the crawl goes
 * on by REST: the records are the same, they only take longer.
 */
export class GitSource {
  readonly people = new People();
  readonly counts = { gitFetches: 0, gitFallbacks: 0 };
  readonly #options: GitSourceOptions;
  readonly #leases = new Map<number, Lease>();
  #refusedInARow = 0;
  #hasGit: Promise<boolean> | undefined;

  constructor(options: GitSourceOptions) {
    this.#options = options;
  }

  /**
   * A clone that has these commits and all of their history; undefined: it cannot be had. It stays until `release`.
   * What is there already is not fetched again.
   */
  async open(repository: BitbucketRepository, commits: readonly string[]): Promise<Clone | undefined> {
    const lease = this.#lease(repository);
    for (;;) {
      if (lease.isGivenUp) return undefined;
      if (lease.place.bytes > 0 && (await this.#has(repository, lease, commits))) {
        this.#options.clones.used(lease.place);
        return lease.clone;
      }
      if (lease.fetches >= maxFetchesPerRepository) {
        this.#giveUp(repository, lease, missing(lease.place.bytes > 0));
        return undefined;
      }
      await this.#fetch(repository, lease);
    }
  }

  startReading(): Promise<() => void> {
    return this.#options.clones.startReading(this.#options.signal);
  }

  /** The counted files of a commit, where a clone of this scan has it. */
  async files(repository: BitbucketRepository, commit: BitbucketCommit): Promise<CommitFiles | undefined> {
    const lease = this.#leases.get(repository.id);
    if (lease === undefined || lease.isGivenUp || lease.place.bytes === 0) return undefined;
    const { clones, signal } = this.#options;
    try {
      return await clones.counters.add(() => lease.clone.files(commit), { signal });
    } catch {
      // The clone may not have the commit, or be damaged: the server can still tell, and the next range finds it out.
      signal.throwIfAborted();
      return undefined;
    }
  }

  /** What was read of the clone makes no sense: it is removed, and cloned again when it is next asked for. */
  discard(repository: BitbucketRepository, thrown: unknown): void {
    const { clones, logger, signal } = this.#options;
    signal.throwIfAborted();
    logger.warn('A clone is damaged; it is removed and made again', {
      code: 'GIT_CLONE_DAMAGED',
      repository: repositoryLabel(repository),
      error: thrown instanceof Error ? thrown.message : String(thrown),
    });
    clones.remove(this.#lease(repository).place);
  }

  /** Nothing is read of the repository any more, for now. */
  release(repositoryId: number): void {
    const lease = this.#leases.get(repositoryId);
    if (lease === undefined) return;
    this.#leases.delete(repositoryId);
    const { place } = lease;
    place.leases--;
    if (!this.#options.integration.metadata.keepClones && place.leases === 0) this.#options.clones.remove(place);
  }

  close(): void {
    for (const id of [...this.#leases.keys()]) this.release(id);
  }

  #lease(repository: BitbucketRepository): Lease {
    let lease = this.#leases.get(repository.id);
    if (lease === undefined) {
      const { clones, integration, signal } = this.#options;
      const place = clones.place(integration.url, repository.id);
      place.leases++;
      lease = { place, clone: new Clone(place.path, signal), fetches: 0, isGivenUp: false };
      this.#leases.set(repository.id, lease);
    }
    return lease;
  }

  async #has(repository: BitbucketRepository, lease: Lease, commits: readonly string[]): Promise<boolean> {
    try {
      if (await lease.clone.has(commits)) return true;
      if (lease.fetches === 0 && !(await lease.clone.isSound())) this.discard(repository, 'objects are missing');
    } catch (error) {
      this.discard(repository, error);
    }
    return false;
  }

  async #fetch(repository: BitbucketRepository, lease: Lease): Promise<void> {
    const { clones, client, integration, signal } = this.#options;
    lease.fetches++;
    try {
      const repositoryPath = pathOfClone(repository, integration.url);
      if (this.#refusedInARow >= maxRefusedInARow) throw notOffered();
      this.#hasGit ??= gitVersion().then((version) => version !== undefined);
      if (!(await this.#hasGit)) throw noGit();
      if (clones.isTooLarge(lease.place)) throw stillTooLarge();
      // Another job of the same server may be at it: then there may be nothing left to fetch.
      const before = lease.place.fetching;
      const fetching = before
        .catch(() => undefined)
        .then(() => clones.fetches.add(() => fetchClone(clones, lease.place, { client, repositoryPath, signal })));
      lease.place.fetching = fetching.catch(() => undefined);
      await fetching;
      this.counts.gitFetches++;
      this.#refusedInARow = 0;
    } catch (thrown) {
      signal.throwIfAborted();
      this.#failed(repository, lease, thrown);
    }
  }

  /** What fails on this side is tried once more, with a new clone. */
  #failed(repository: BitbucketRepository, lease: Lease, thrown: unknown): void {
    const isOurs = !(thrown instanceof SatelliteError);
    if (isOurs && lease.place.bytes > 0) {
      this.discard(repository, thrown);
      return;
    }
    const { code, kind } = toSatelliteError(thrown);
    if (code === 'GIT_CLONE_TOO_LARGE') {
      this.#options.clones.remove(lease.place);
      this.#options.clones.markTooLarge(lease.place);
    }
    const isRefused = kind === 'auth' || kind === 'permission' || kind === 'gone' || kind === 'unsupported';
    if (isRefused) this.#refusedInARow++;
    this.#giveUp(repository, lease, thrown);
  }

  #giveUp(repository: BitbucketRepository, lease: Lease, thrown: unknown): void {
    lease.isGivenUp = true;
    this.counts.gitFallbacks++;
    const error = toSatelliteError(thrown);
    this.#options.logger.warn('A repository is read by REST, as it cannot be cloned', {
      code: fallbackCode(error),
      repository: repositoryLabel(repository),
      error: error.message,
      ...(error.code.startsWith('GIT_') ? { hint: error.hint } : { because: error.code }),
    });
  }
}

/**
 * Below the base URL that the operator wrote down, whatever host the link names: the credentials go nowhere else. A server
 * that only offers ssh shows no such link.
 */
function pathOfClone({ links }: BitbucketRepository, baseUrl: string): string {
  for (const link of links?.clone ?? []) {
    const href = link?.href ?? '';
    if (!/^https?:/.test(href) || !URL.canParse(href, baseUrl)) continue;
    const [, path] = /\/(scm\/[^?#]+)$/.exec(new URL(href).pathname) ?? [];
    if (path !== undefined && !path.includes('/../')) return path;
  }
  throw new SatelliteError('Bitbucket shows no address to clone it from by HTTP', {
    code: 'GIT_NOT_OFFERED',
    kind: 'unsupported',
    hint: 'Switch on HTTP(S) SCM hosting in Bitbucket, or set metadata.commit_source to rest.',
  });
}

function fallbackCode({ code, kind }: SatelliteError): string {
  if (code.startsWith('GIT_')) return code;
  if (kind === 'auth' || kind === 'permission' || kind === 'gone' || kind === 'unsupported') return 'GIT_CLONE_REFUSED';
  return 'GIT_CLONE_FAILED';
}

function noGit(): SatelliteError {
  return new SatelliteError('There is no git 2.31 or newer on this machine', {
    code: 'GIT_UNAVAILABLE',
    kind: 'config',
    hint: 'Install git, or set metadata.commit_source to rest.',
  });
}

function notOffered(): SatelliteError {
  return new SatelliteError(`${maxRefusedInARow} repositories one after the other may not be cloned`, {
    code: 'GIT_CLONE_REFUSED',
    kind: 'permission',
    hint: 'Let the user clone by HTTP, or set metadata.commit_source to rest.',
  });
}

function stillTooLarge(): SatelliteError {
  return new SatelliteError('The clone did not fit into satellite.store.max_bytes when it was last tried', {
    code: 'GIT_CLONE_TOO_LARGE',
    kind: 'storage',
    hint: 'Raise satellite.store.max_bytes, or leave it: the repository is read by REST.',
  });
}

function missing(isCloned: boolean): SatelliteError {
  return new SatelliteError(
    isCloned ? 'The clone does not have a commit that Bitbucket shows' : 'The clone is damaged again',
    {
      code: isCloned ? 'GIT_COMMIT_MISSING' : 'GIT_CLONE_FAILED',
      kind: 'retryable',
      hint: isCloned
        ? 'Nothing to do: after a forced push Bitbucket still shows what no branch has any more.'
        : 'Look at the disk of satellite.data_dir.',
    },
  );
}
