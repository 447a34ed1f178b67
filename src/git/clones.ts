import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import PQueue from 'p-queue';
import { makeFolder } from '../ops/folder.ts';

/** Each takes memory for the names of all objects that it receives, and a place at the server for as long as it lasts. */
const maxFetches = 2;

/** As many histories are read at a time: each is a process that counts lines. */
const maxReaders = 2;

/** And as many single commits beside them, as pull requests ask for. */
const maxCounters = 2;

/** One that nobody has asked for in so long belongs to a repository that is gone, or not selected any more. */
const maxIdleMs = 30 * 24 * 60 * 60 * 1000;

/** After so long it is tried again whether a repository that was too large still is. */
const tooLargeForMs = 7 * 24 * 60 * 60 * 1000;

export interface ClonesOptions {
  /** Folder of all clones. */
  readonly root: string;
  /** Disk for clones and store together. */
  readonly maxBytes: number;
  /** What the store takes of it. */
  readonly storeBytes: () => number;
  /** Lets go of what the store can do without; false: there is nothing such in it. */
  readonly shrinkStore: () => boolean;
  readonly nowMs: () => number;
}

/** The place of one clone, whether it is there or not. */
export interface ClonePlace {
  /** `<root>/<server>/<repository id>.git` */
  readonly path: string;
  bytes: number;
  usedAtMs: number;
  /** Somebody reads it: it stays. */
  leases: number;
  /** The fetch under way, if any: two would fetch the same. */
  fetching: Promise<unknown>;
}

/**
 * The clones of a process, by Bitbucket server and numeric id of the repository. They may all be thrown away at any
 * time, and are, the longest unused first, when they and the store would take more disk than they may.
 *
 * What a crash leaves behind: a clone that was begun (`*.git.new`, removed at the start), and in a clone that was being
 * fetched into locks and half-written packs (removed when it is first used again). A pack that is there is whole.
 */
export class Clones {
  readonly fetches = new PQueue({ concurrency: maxFetches });
  /** Processes that count the lines of one commit. */
  readonly counters = new PQueue({ concurrency: maxCounters });
  readonly #readers = new PQueue({ concurrency: maxReaders });
  readonly #options: ClonesOptions;
  readonly #places = new Map<string, ClonePlace>();

  /** @param kept base URLs of the servers whose clones may stay; those of all others are removed */
  constructor(options: ClonesOptions, kept: readonly string[]) {
    this.#options = options;
    const { root, nowMs } = options;
    const servers = new Set(kept.map(serverFolder));
    for (const server of namesIn(root)) {
      if (!servers.has(server)) rmSync(join(root, server), { recursive: true, force: true });
      for (const name of namesIn(join(root, server))) {
        const path = join(root, server, name);
        if (name.endsWith('.new')) rmSync(path, { recursive: true, force: true });
        if (!name.endsWith('.git')) continue;
        const usedAtMs = statSync(path).mtimeMs;
        if (nowMs() - usedAtMs > maxIdleMs) rmSync(path, { recursive: true, force: true });
        else this.#places.set(path, { path, bytes: tidied(path), usedAtMs, leases: 0, fetching: Promise.resolve() });
      }
    }
  }

  place(serverUrl: string, repositoryId: number): ClonePlace {
    const path = join(this.#options.root, serverFolder(serverUrl), `${repositoryId}.git`);
    let place = this.#places.get(path);
    if (place === undefined) {
      place = { path, bytes: 0, usedAtMs: this.#options.nowMs(), leases: 0, fetching: Promise.resolve() };
      this.#places.set(path, place);
    }
    return place;
  }

  /** Resolves when there is a place for one more process that counts lines, with what gives it back. */
  async startReading(signal: AbortSignal): Promise<() => void> {
    const started = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const read = () => {
      started.resolve();
      return ended.promise;
    };
    this.#readers.add(read, { signal }).catch(started.reject);
    await started.promise;
    return ended.resolve;
  }

  /** On disk. */
  usedBytes(): number {
    let bytes = 0;
    for (const place of this.#places.values()) bytes += place.bytes;
    return bytes;
  }

  /** Removes the clone that was not used for longest; false: all that there are are being read. */
  evict(): boolean {
    let oldest: ClonePlace | undefined;
    for (const place of this.#places.values()) {
      if (place.leases > 0 || place.bytes === 0) continue;
      if (oldest === undefined || place.usedAtMs < oldest.usedAtMs) oldest = place;
    }
    if (oldest === undefined) return false;
    this.remove(oldest);
    return true;
  }

  /** Makes room for so many bytes more; false: there is none. Other clones give way first, then what they can count anew. */
  hasRoomFor(bytes: number): boolean {
    const { maxBytes, storeBytes, shrinkStore } = this.#options;
    while (storeBytes() + this.usedBytes() + bytes > maxBytes) if (!this.evict() && !shrinkStore()) return false;
    return true;
  }

  /** Whether there would be room for so many bytes if nothing else were on the disk. */
  couldHold(bytes: number): boolean {
    return bytes <= this.#options.maxBytes;
  }

  /** To be called after it has changed. */
  measure(place: ClonePlace): void {
    place.bytes = bytesIn(place.path);
    this.used(place);
  }

  used(place: ClonePlace): void {
    const nowMs = this.#options.nowMs();
    place.usedAtMs = nowMs;
    utimesSync(place.path, nowMs / 1000, nowMs / 1000);
  }

  remove(place: ClonePlace): void {
    rmSync(place.path, { recursive: true, force: true });
    rmSync(`${place.path}.new`, { recursive: true, force: true });
    place.bytes = 0;
  }

  /** A repository that does not fit is not downloaded again and again to find that out. */
  markTooLarge({ path }: ClonePlace): void {
    makeFolder(join(path, '..'), 0o700);
    writeFileSync(`${path}.too-large`, String(this.#options.maxBytes));
  }

  isTooLarge({ path }: ClonePlace): boolean {
    try {
      const { mtimeMs } = statSync(`${path}.too-large`);
      const triedBytes = Number(readFileSync(`${path}.too-large`, 'utf8'));
      return this.#options.maxBytes <= triedBytes && this.#options.nowMs() - mtimeMs < tooLargeForMs;
    } catch {
      return false;
    }
  }
}

/** Ids count by server. */
function serverFolder(url: string): string {
  return createHash('sha256').update(url.toLowerCase()).digest('hex').slice(0, 16);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Removes what a git that was ended has left, and counts the rest. */
export function tidied(path: string): number {
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    const isLeft =
      entry.name.startsWith('tmp_') || entry.name.startsWith('.tmp-') || entry.name.startsWith('incoming-');
    if (isLeft || entry.name.endsWith('.lock')) {
      rmSync(join(entry.parentPath, entry.name), { recursive: true, force: true });
    }
  }
  return bytesIn(path);
}

/** As the disk counts them. */
function bytesIn(path: string): number {
  try {
    let bytes = 0;
    for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += lstatSync(join(entry.parentPath, entry.name)).blocks * 512;
    }
    return bytes;
  } catch {
    return 0;
  }
}
