import { randomUUID } from 'node:crypto';
import type { SeiSimulator } from '../simulators/sei/simulator.ts';
import { integrationId } from './world.ts';

/** Another satellite of the same tenant, as far as SEI can tell: it takes jobs and gives them back. */
export class Rival {
  readonly #sei: SeiSimulator;
  readonly #agentId = randomUUID();

  constructor(sei: SeiSimulator) {
    this.#sei = sei;
  }

  async take(jobId: string): Promise<void> {
    const { tenant } = this.#sei;
    const handle = {
      agent_id: this.#agentId,
      agent_type: 'default',
      controller_names: ['BitbucketServerIterativeScanController'],
      tenant_id: tenant,
      integration_ids: [integrationId],
    };
    await this.#call('register', handle);
    await this.#call('jobs/requests/list?reserved=true', handle);
    await this.#call(`jobs/requests/accept?job_id=${jobId}&agent_id=${this.#agentId}&tenant_id=${tenant}`);
  }

  async giveBack(jobId: string): Promise<void> {
    const { tenant } = this.#sei;
    const query = `job_id=${jobId}&agent_id=${this.#agentId}&status=scheduled&tenant_id=${tenant}`;
    await this.#call(`jobs/requests/reject?${query}`);
  }

  async #call(path: string, body?: object): Promise<void> {
    const response = await fetch(`${this.#sei.url}/v1/ingestion/agent-callback/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Apikey ${this.#sei.apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`the other satellite is answered ${response.status} to ${path}`);
  }
}
