import type { BitbucketRepository } from '../bitbucket/types.ts';
import type { DataType } from '../data-type.ts';
import { projectRecord } from './project.ts';
import { repositoryRecord } from './repository.ts';

export interface PageOptions {
  readonly tenantId: string;
  readonly integrationId: string;
  readonly dataType: DataType;
  readonly number: number;
  /** A page is closed before it would grow beyond this; a single item that is larger gets a page of its own. */
  readonly maxBytes: number;
}

/** An item as JSON, and how many bytes that will be. */
export interface PageItem {
  readonly json: string;
  readonly bytes: number;
}

interface Group {
  readonly head: string;
  readonly items: string[];
  readonly tail: string;
  /** Of head and tail. */
  readonly bytes: number;
}

/** What the vendor's image puts into a file at most (sei-protocol §3.3). */
const maxRecords = 500;

const comma = ',';
const { byteLength } = Buffer;
const listNames = { commits: 'commits', tags: 'tags', pull_requests: 'pullRequests' } as const;

export function pageItem(value: unknown): PageItem {
  const json = JSON.stringify(value);
  return { json, bytes: Buffer.byteLength(json) };
}

/**
 * One file for SEI while it fills (sei-protocol §3.2): items of any number of repositories, grouped so that each
 * repository stands in it once. Items are kept as the text that will be sent: as small buffers each would keep alive the
 * pool that Node cut it from, while a page fills slowly.
 */
export class PageBuilder {
  readonly #options: PageOptions;
  readonly #groups = new Map<number, Group>();
  #itemCount = 0;
  #recordCount = 0;
  #recordBytes = 0;

  constructor(options: PageOptions) {
    this.#options = options;
  }

  get number(): number {
    return this.#options.number;
  }

  /** Commits, pull requests, tags or repositories in it. */
  get itemCount(): number {
    return this.#itemCount;
  }

  /** Of the file as it would be built now. */
  get bytes(): number {
    return byteLength(this.#head(this.#options.number)) + this.#recordBytes + byteLength(this.#tail());
  }

  /** False where the item would make the page too large or its records too many; an empty page takes anything. */
  fits(repository: BitbucketRepository, item: PageItem): boolean {
    if (this.#itemCount === 0) return true;
    const known = this.#groups.get(repository.id);
    if (known === undefined && this.#recordCount >= maxRecords) return false;
    const group = known ?? this.#newGroup(repository);
    // One more digit in the record count is the only byte this does not see.
    const bytes = this.bytes + group.bytes + item.bytes + 2;
    return bytes <= this.#options.maxBytes;
  }

  add(repository: BitbucketRepository, item: PageItem): void {
    let group = this.#groups.get(repository.id);
    if (group === undefined) {
      group = this.#newGroup(repository);
      this.#groups.set(repository.id, group);
      this.#recordBytes += group.bytes + (this.#recordCount > 0 ? comma.length : 0);
      this.#recordCount++;
    }
    this.#recordBytes += item.bytes + (group.items.length > 0 ? comma.length : 0);
    group.items.push(item.json);
    this.#itemCount++;
  }

  /** @param number where it became another one than it was begun with */
  build(number = this.#options.number): Buffer {
    const records = Array.from(this.#groups.values(), ({ head, items, tail }) => head + items.join(comma) + tail);
    return Buffer.from(this.#head(number) + records.join(comma) + this.#tail());
  }

  #head(number: number): string {
    const { tenantId, integrationId, dataType } = this.#options;
    const metadata = {
      integration_key: { tenant_id: tenantId, integration_id: integrationId },
      integration_type: 'bitbucket_server',
      data_type: dataType,
      page_number: number,
    };
    return `{"_metadata":${JSON.stringify(metadata)},"records":[`;
  }

  #tail(): string {
    return `],"count":${this.#recordCount}}`;
  }

  #newGroup(repository: BitbucketRepository): Group {
    const { dataType } = this.#options;
    if (dataType === 'repositories') {
      return newGroup('{"repository":', '}');
    }
    const project = JSON.stringify(projectRecord(repository.project));
    const record = JSON.stringify(repositoryRecord(repository));
    return newGroup(`{"project":${project},"repository":${record},"${listNames[dataType]}":[`, ']}');
  }
}

function newGroup(head: string, tail: string): Group {
  return { head, items: [], tail, bytes: byteLength(head) + byteLength(tail) };
}
