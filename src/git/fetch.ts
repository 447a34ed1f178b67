import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BitbucketClient } from '../bitbucket/client.ts';
import { SatelliteError } from '../errors.ts';
import { makeFolder } from '../ops/folder.ts';
import { type ClonePlace, type Clones, tidied } from './clones.ts';
import { runGit } from './git-process.ts';
import { Relay } from './relay.ts';

export interface Remote {
  readonly client: Pick<BitbucketClient, 'git'>;
  /** Below the base URL of Bitbucket, as it goes over the wire. */
  readonly repositoryPath: string;
  readonly signal: AbortSignal;
}

/** A fetch adds a pack; with too many of them git looks for each object in each. */
const maxPacks = 20;

/** Objects of a clone are written as large as they come; beyond this they are not even held in memory meanwhile. */
const fetchConfig = { 'core.bigFileThreshold': '8m' };

/** How much passes before the disk is looked at again. */
const lookEveryBytes = 2 ** 20;

/** A server may need hours for a large repository, and no longer. */
const fetchTimeoutMs = 4 * 60 * 60 * 1000;

/**
 * Clones the repository, or fetches what is new into the clone that is there. All branches and nothing else: no tag, no
 * pull request, no working copy, no submodule. Where there is no room, a clone that was there before stays.
 *
 * @throws SatelliteError what the server or the way to it said, `GIT_CLONE_TOO_LARGE`, or `GIT_NO_ROOM`
 * @throws GitError the disk, or a damaged clone
 */
export async function fetchClone(clones: Clones, place: ClonePlace, remote: Remote): Promise<void> {
  const isNew = !existsSync(place.path);
  let lookedAtBytes = 0;
  await using relay = await Relay.open({
    client: remote.client,
    repositoryPath: remote.repositoryPath,
    onBytes: (bytes) => {
      if (bytes < lookedAtBytes + lookEveryBytes) return;
      lookedAtBytes = bytes;
      if (!clones.hasRoomFor(bytes)) throw doesNotFit(clones, place.bytes + bytes);
    },
  });
  const signal = AbortSignal.any([remote.signal, AbortSignal.timeout(fetchTimeoutMs)]);
  const config = { ...fetchConfig, ...relay.config };
  try {
    if (isNew) {
      const path = `${place.path}.new`;
      rmSync(path, { recursive: true, force: true });
      makeFolder(dirname(path), 0o700);
      const args = ['clone', '--bare', '--quiet', '--no-tags', '--template=', '--', relay.url, path];
      await runGit({ args, cwd: dirname(path), signal, config });
      await pack(path, signal, false);
      renameSync(path, place.path);
    } else {
      const args = ['fetch', '--quiet', '--prune', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance'];
      const refs = '+refs/heads/*:refs/heads/*';
      await runGit({ args: ['--git-dir=.', ...args, '--', relay.url, refs], cwd: place.path, signal, config });
      await pack(place.path, signal, true);
    }
  } catch (error) {
    if (isNew) rmSync(`${place.path}.new`, { recursive: true, force: true });
    else clear(place);
    remote.signal.throwIfAborted();
    throw relay.failure ?? (signal.aborted ? timedOut(remote) : error);
  }
  clones.measure(place);
  if (clones.hasRoomFor(0)) return;
  const error = doesNotFit(clones, place.bytes);
  if (isNew) clones.remove(place);
  throw error;
}

/** Many branches are many files, and many fetches many packs: git would slow down, and the disk fill up. */
async function pack(path: string, signal: AbortSignal, mayHavePacks: boolean): Promise<void> {
  await runGit({ args: ['--git-dir=.', 'pack-refs', '--all'], cwd: path, signal });
  if (!mayHavePacks) return;
  const packs = readdirSync(join(path, 'objects', 'pack')).filter((name) => name.endsWith('.pack'));
  if (packs.length <= maxPacks) return;
  const args = ['--git-dir=.', 'repack', '--geometric=2', '-d', '--quiet', '--no-write-bitmap-index'];
  await runGit({ args, cwd: path, signal });
}

function clear(place: ClonePlace): void {
  try {
    tidied(place.path);
  } catch {
    // A clone that is this much damaged is removed by whoever meets it next.
  }
}

function doesNotFit(clones: Clones, bytes: number): SatelliteError {
  if (clones.couldHold(bytes)) {
    return new SatelliteError('Pages that wait for SEI, and other clones, leave no room for it', {
      code: 'GIT_NO_ROOM',
      kind: 'storage',
      hint: 'See why SEI takes no pages, or raise satellite.store.max_bytes; the repository is read by REST meanwhile.',
    });
  }
  return new SatelliteError('The clone does not fit into satellite.store.max_bytes', {
    code: 'GIT_CLONE_TOO_LARGE',
    kind: 'storage',
    hint: 'Raise satellite.store.max_bytes, or leave it: the repository is read by REST.',
  });
}

function timedOut({ repositoryPath }: Remote): SatelliteError {
  return new SatelliteError('The clone is not complete after four hours', {
    code: 'BITBUCKET_TIMEOUT',
    kind: 'retryable',
    url: repositoryPath,
  });
}
