import { availableParallelism } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import type { Config } from '../config/config.ts';
import type { AgentHandle, Telemetry } from './types.ts';

/** The only controller that SEI schedules for Bitbucket Server (sei-protocol §4.1). */
export const scanController = 'BitbucketServerIterativeScanController';

export function agentHandle(config: Config, agentId: string): AgentHandle {
  return {
    agent_id: agentId,
    agent_type: 'default',
    controller_names: [scanController],
    tenant_id: config.satellite.tenant,
    integration_ids: config.integrations.map(({ id }) => id),
  };
}

const mib = 1024 * 1024;

/** Figures of the process and nothing else: the vendor's image also sends its console, which names people and urls. */
export function telemetry(
  version: string,
  jobs: { readonly done: number; readonly running: number; readonly total: number },
): Telemetry {
  const heap = getHeapStatistics();
  return {
    version,
    uptime: Math.round(process.uptime() * 1000),
    memory: {
      free: Math.round((heap.total_heap_size - heap.used_heap_size) / mib),
      total: Math.round(heap.total_heap_size / mib),
      max: Math.round(heap.heap_size_limit / mib),
    },
    cpu: { cores: availableParallelism() },
    jobs: {
      total: jobs.total,
      done: jobs.done,
      running: jobs.running,
      invalid_done_but_running: 0,
      invalid_not_done_but_not_running: 0,
      invalid_total: 0,
    },
  };
}
