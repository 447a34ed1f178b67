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

interface Group {
  readonly head: Buffer;
  readonly items: Buffer[];
  readonly tail: Buffer;
}

/** What the vendor's image puts into a file at most (sei-protocol §3.3). */
const maxRecords = 500;

const comma = Buffer.from(',');
const listNames = { commits: 'commits', tags: 'tags', pull_requests: 'pullRequests' } as const;

/**
 * One file for SEI while it fills (sei-protocol §3.2): items of any number of repositories, grouped so that each
 * repository stands in it once. Items are kept as the bytes that will be sent, so `bytes` is exact and a page is never
 * held twice.
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
    return this.#head(this.#options.number).length + this.#recordBytes + this.#tail().length;
  }

  /** False where the item would make the page too large or its records too many; an empty page takes anything. */
  fits(repository: BitbucketRepository, item: Buffer): boolean {
    if (this.#itemCount === 0) return true;
    const known = this.#groups.get(repository.id);
    if (known === undefined && this.#recordCount >= maxRecords) return false;
    const group = known ?? this.#newGroup(repository);
    // One more digit in the record count is the only byte this does not see.
    const bytes = this.bytes + group.head.length + item.length + group.tail.length + 2;
    return bytes <= this.#options.maxBytes;
  }

  add(repository: BitbucketRepository, item: Buffer): void {
    let group = this.#groups.get(repository.id);
    if (group === undefined) {
      group = this.#newGroup(repository);
      this.#groups.set(repository.id, group);
      this.#recordBytes += group.head.length + group.tail.length + (this.#recordCount > 0 ? comma.length : 0);
      this.#recordCount++;
    }
    this.#recordBytes += item.length + (group.items.length > 0 ? comma.length : 0);
    group.items.push(item);
    this.#itemCount++;
  }

  /** @param number where it became another one than it was begun with */
  build(number = this.#options.number): Buffer {
    const parts = [this.#head(number)];
    for (const group of this.#groups.values()) {
      if (parts.length > 1) parts.push(comma);
      parts.push(group.head);
      for (const [index, item] of group.items.entries()) {
        if (index > 0) parts.push(comma);
        parts.push(item);
      }
      parts.push(group.tail);
    }
    parts.push(this.#tail());
    return Buffer.concat(parts);
  }

  #head(number: number): Buffer {
    const { tenantId, integrationId, dataType } = this.#options;
    const metadata = {
      integration_key: { tenant_id: tenantId, integration_id: integrationId },
      integration_type: 'bitbucket_server',
      data_type: dataType,
      page_number: number,
    };
    return Buffer.from(`{"_metadata":${JSON.stringify(metadata)},"records":[`);
  }

  #tail(): Buffer {
    return Buffer.from(`],"count":${this.#recordCount}}`);
  }

  #newGroup(repository: BitbucketRepository): Group {
    const { dataType } = this.#options;
    if (dataType === 'repositories') {
      return { head: Buffer.from('{"repository":'), items: [], tail: Buffer.from('}') };
    }
    const project = JSON.stringify(projectRecord(repository.project));
    const record = JSON.stringify(repositoryRecord(repository));
    return {
      head: Buffer.from(`{"project":${project},"repository":${record},"${listNames[dataType]}":[`),
      items: [],
      tail: Buffer.from(']}'),
    };
  }
}
