import type { Answer, Request } from './exchange.ts';
import type { JobBook } from './jobs.ts';
import { pushBody } from './messages.ts';
import { checkPage } from './page-check.ts';
import { isDataType } from './records.ts';
import { isObject } from './shape.ts';
import type { Storage } from './storage.ts';

export interface PushParts {
  readonly tenant: string;
  readonly jobs: JobBook;
  readonly storage: Storage;
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The push call (sei-protocol §3.1): one file, base64 in JSON, answered with the pointer to where it is stored. */
export class Push {
  readonly #tenant: string;
  readonly #jobs: JobBook;
  readonly #storage: Storage;
  /** The first job that brought something of a repository: a new one comes with all that there is of it. */
  readonly #metIn = new Map<string, string>();
  /** Bytes of all files that were stored, as they are in the bucket. */
  fileBytes = 0;

  constructor({ tenant, jobs, storage }: PushParts) {
    this.#tenant = tenant;
    this.#jobs = jobs;
    this.#storage = storage;
  }

  async push({ body, complain }: Request): Promise<Answer> {
    const shaped = pushBody(body, 'body', complain);
    const tenant = isObject(body) && isObject(body.integration_key) ? body.integration_key.tenant_id : undefined;
    if (typeof tenant === 'string' && tenant !== '' && tenant !== this.#tenant) {
      complain(`integration_key.tenant_id is ${tenant}, wanted ${this.#tenant}`);
      return { status: 403, error: 'not the tenant of the key' };
    }
    if (!shaped) return { status: 400, error: 'not a push request' };
    if (!base64.test(body.content)) {
      complain('content is not standard base64 without line breaks');
      return { status: 400, error: 'content is not base64' };
    }
    const [dataType = '', , page = ''] = body.relative_path.split(/[/.]/);
    if (!isDataType(dataType)) return { status: 400, error: 'relative_path' };
    const pageNumber = Number(page);
    const { integration_id: integrationId } = body.integration_key;
    const told = (deviation: string) => complain(`job ${body.job_id}, ${body.relative_path}: ${deviation}`);

    const job = this.#jobs.getOrBegin(body.job_id, integrationId);
    if (job.integrationId !== integrationId) told(`is of integration ${job.integrationId}, not ${integrationId}`);
    if (job.status !== 'ACCEPTED' && job.status !== 'PENDING') told(`pushed while the job is ${job.status}`);
    const content = Buffer.from(body.content, 'base64');
    const repositories = checkPage(content, { tenant: this.#tenant, integrationId, dataType, pageNumber }, told);
    for (const name of repositories) {
      if (!this.#metIn.has(name)) this.#metIn.set(name, body.job_id);
    }
    const areNew = repositories.size > 0 && [...repositories].every((name) => this.#metIn.get(name) === body.job_id);
    const isUnasked = !job.own && !this.#jobs.mayLack.has(dataType) && !areNew;
    if (isUnasked && dataType === 'repositories' && job.query.should_fetch_repos !== true) {
      told('repositories were not asked for');
    }
    if (isUnasked && dataType === 'tags' && job.query.from !== undefined) told('tags are for full scans only');

    const { jobId, attempts: attempt } = job;
    const file = { jobId, integrationId, attempt, dataType, pageNumber, path: body.relative_path };
    const pointer = await this.#storage.store(file, content);
    this.fileBytes += content.length;
    return { status: 200, json: { destination: 'gcs', records: [pointer], count: 1 } };
  }
}
