import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pointer } from './messages.ts';
import type { DataType } from './records.ts';

/** A stored file: an object of the bucket, of which only the newest generation exists. */
export interface StoredPage {
  readonly jobId: string;
  readonly integrationId: string;
  /** As pushed, `commits/commits.0.json`. */
  readonly path: string;
  readonly dataType: DataType;
  readonly pageNumber: number;
  /** Attempt of the job at which this generation came. */
  readonly attempt: number;
  readonly bytes: number;
  /** How often this path was pushed. */
  readonly pushes: number;
  readonly pointer: Pointer;
}

export type PageToStore = Omit<StoredPage, 'pushes' | 'pointer' | 'bytes'>;

const bucket = 'sei-simulator';

/** The bucket: contents are files in a folder of their own, memory holds their names only. */
export class Storage implements AsyncDisposable {
  readonly #dir: string;
  readonly #tenant: string;
  readonly #now: () => number;
  readonly #pages = new Map<string, StoredPage>();
  /** The bucket's path has a date in it; a job that runs past midnight keeps its own. */
  readonly #days = new Map<string, string>();
  #lastGeneration = 0;

  private constructor(dir: string, tenant: string, now: () => number) {
    this.#dir = dir;
    this.#tenant = tenant;
    this.#now = now;
  }

  static async open(tenant: string, now: () => number): Promise<Storage> {
    return new Storage(await mkdtemp(join(tmpdir(), 'sei-simulator-')), tenant, now);
  }

  /** Stores a file; the same path of the same job replaces the older one. */
  async store(page: PageToStore, content: Uint8Array): Promise<Pointer> {
    const name = this.#objectName(page);
    const pointer = this.#point(name);
    // One file a generation: a reader of the older one is never met by half of the newer.
    await mkdir(this.#dir, { recursive: true });
    await writeFile(this.#file(pointer), content);
    const older = this.#pages.get(name);
    // Two pushes of one path may overtake each other on their way to the disk: the later generation stays.
    const newest = older === undefined || older.pointer.blob_id.generation < pointer.blob_id.generation;
    const pushes = (older?.pushes ?? 0) + 1;
    this.#pages.set(name, newest ? { ...page, bytes: content.length, pushes, pointer } : { ...older, pushes });
    if (older !== undefined) await rm(this.#file(newest ? older.pointer : pointer));
    return pointer;
  }

  /** The newest generation of the file that a pointer names, whatever generation the pointer has. */
  find(pointer: Pointer): StoredPage | undefined {
    return this.#pages.get(pointer.blob_id.name);
  }

  /** The files of a job in the order of their first push. */
  pages(jobId: string): StoredPage[] {
    return [...this.#pages.values()].filter((page) => page.jobId === jobId);
  }

  read(page: StoredPage): string {
    return readFileSync(this.#file(page.pointer), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }

  #objectName({ integrationId, jobId, path }: PageToStore): string {
    const day = this.#days.get(jobId) ?? new Date(this.#now()).toISOString().slice(0, 10).replaceAll('-', '/');
    this.#days.set(jobId, day);
    return `data/tenant-${this.#tenant}/integration-${integrationId}/${day}/job-${jobId}/${path}`;
  }

  #point(name: string): Pointer {
    this.#lastGeneration = Math.max(this.#lastGeneration + 1, this.#now() * 1000);
    return {
      uri: `gs://${bucket}/${name}`,
      html_uri: `https://storage.example.org/${bucket}/${name}`,
      blob_id: { bucket, name, generation: this.#lastGeneration },
    };
  }

  #file(pointer: Pointer): string {
    return join(this.#dir, `${pointer.blob_id.generation}.json`);
  }
}
