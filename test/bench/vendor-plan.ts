/**
 * The requests that the vendor's image makes for a scan (sei-protocol §4.4), one at a time: projects and repositories
 * listed anew for each data type, a whole diff with its context for each commit and for each commit of a pull request,
 * dates as the only limit. Answers are parsed and counted; no records are made and nothing is pushed.
 */
import { Agent } from 'node:http';
import { get } from './get.ts';

export interface VendorScan {
  readonly url: string;
  readonly authorization: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly isFull: boolean;
  readonly fetchRepositories: boolean;
}

export interface VendorResult {
  readonly commits: number;
  readonly pullRequests: number;
  readonly cpuSeconds: number;
}

interface Page<T> {
  readonly size: number;
  readonly values: readonly T[];
  readonly isLastPage: boolean;
  readonly nextPageStart?: number | null;
}

interface Commit {
  readonly id: string;
  readonly committerTimestamp: number;
}

const pageLimit = 250;
/** Of the activities and the commits of a pull request. */
const kept = 250;

class VendorPlan {
  commits = 0;
  pullRequests = 0;
  readonly #scan: VendorScan;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(scan: VendorScan) {
    this.#scan = scan;
  }

  async run(): Promise<void> {
    const { isFull, fetchRepositories } = this.#scan;
    for await (const path of this.#repositories()) await this.#commits(path);
    if (isFull) for await (const path of this.#repositories()) await this.#count(`${path}/tags`);
    for await (const path of this.#repositories()) await this.#pullRequests(path);
    if (fetchRepositories) for await (const path of this.#repositories()) await this.#get(`${path}/branches/default`);
  }

  async *#repositories(): AsyncGenerator<string, void> {
    for await (const { key } of this.#list<{ key: string }>('projects')) {
      for await (const { slug } of this.#list<{ slug: string }>(`projects/${key}/repos`)) {
        yield `projects/${key}/repos/${slug}`;
      }
    }
  }

  async #commits(path: string): Promise<void> {
    const { fromMs, toMs } = this.#scan;
    for await (const { id, committerTimestamp } of this.#list<Commit>(`${path}/commits`, { merges: 'include' })) {
      if (committerTimestamp > toMs) continue;
      if (committerTimestamp < fromMs) break;
      this.commits++;
      await this.#diff(path, id);
    }
  }

  async #pullRequests(path: string): Promise<void> {
    const { fromMs, toMs } = this.#scan;
    const query = { state: 'ALL', order: 'NEWEST' };
    const listed = this.#list<{ id: number; updatedDate: number }>(`${path}/pull-requests`, query);
    for await (const { id, updatedDate } of listed) {
      if (updatedDate > toMs) continue;
      if (updatedDate < fromMs) break;
      this.pullRequests++;
      await this.#count(`${path}/pull-requests/${id}/activities`, kept);
      let commits = 0;
      for await (const commit of this.#list<Commit>(`${path}/pull-requests/${id}/commits`)) {
        await this.#diff(path, commit.id);
        if (++commits === kept) break;
      }
    }
  }

  async #count(path: string, most = Number.POSITIVE_INFINITY): Promise<void> {
    let count = 0;
    for await (const _ of this.#list(path)) if (++count === most) break;
  }

  async #diff(path: string, id: string): Promise<void> {
    await this.#get(`${path}/commits/${id}/diff`);
  }

  async *#list<T>(path: string, query: Readonly<Record<string, string>> = {}): AsyncGenerator<T, void> {
    for (let start: number | null | undefined = 0; start !== null && start !== undefined; ) {
      const search = new URLSearchParams({ ...query, start: String(start), limit: String(pageLimit) });
      const page: Page<T> = (await this.#get(`${path}?${search}`)) as Page<T>;
      yield* page.values;
      start = page.isLastPage || page.values.length < page.size ? undefined : page.nextPageStart;
    }
  }

  async #get(path: string): Promise<unknown> {
    const { url, authorization } = this.#scan;
    const answer = await get(this.#agent, `${url}/rest/api/1.0/${path}`, { accept: 'application/json', authorization });
    const text = Buffer.concat(await answer.toArray()).toString('utf8');
    if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode}`);
    return JSON.parse(text);
  }
}

process.once('message', async (scan: VendorScan) => {
  const plan = new VendorPlan(scan);
  await plan.run();
  const { user, system } = process.cpuUsage();
  const result: VendorResult = {
    commits: plan.commits,
    pullRequests: plan.pullRequests,
    cpuSeconds: (user + system) / 1e6,
  };
  process.send?.(result, () => process.disconnect());
});
