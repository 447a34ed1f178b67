import type { AgentHandle } from './messages.ts';

export interface RegisteredAgent {
  readonly agentId: string;
  readonly handle: AgentHandle;
  /** Epoch ms. */
  readonly registeredAt: number;
  readonly lastHeartbeat: number;
  /** Of the last register or heartbeat call that had any. */
  readonly telemetry: Readonly<Record<string, unknown>>;
  readonly heartbeats: number;
}

type Greeting = AgentHandle & { readonly telemetry?: Readonly<Record<string, unknown>> };

/** unknown → (register) → registered → (no heartbeat for a while, or forgotten) → unknown. */
export class AgentRegistry {
  readonly #expiryMs: number;
  readonly #now: () => number;
  readonly #agents = new Map<string, RegisteredAgent>();
  readonly #everRegistered = new Map<string, AgentHandle>();

  constructor(expiryMs: number, now: () => number) {
    this.#expiryMs = expiryMs;
    this.#now = now;
  }

  /** False when the id is still registered. */
  register({ telemetry = {}, ...handle }: Greeting): boolean {
    if (this.#alive(handle.agent_id) !== undefined) return false;
    const now = this.#now();
    const times = { registeredAt: now, lastHeartbeat: now, heartbeats: 0 };
    this.#agents.set(handle.agent_id, { agentId: handle.agent_id, handle, telemetry, ...times });
    this.#everRegistered.set(handle.agent_id, handle);
    return true;
  }

  /** False when the id is not, or no longer, registered. */
  heartbeat({ telemetry, ...handle }: Greeting): boolean {
    const agent = this.#alive(handle.agent_id);
    if (agent === undefined) return false;
    this.#agents.set(handle.agent_id, {
      ...agent,
      handle,
      lastHeartbeat: this.#now(),
      telemetry: telemetry ?? agent.telemetry,
      heartbeats: agent.heartbeats + 1,
    });
    this.#everRegistered.set(handle.agent_id, handle);
    return true;
  }

  /** The handle of an agent that is registered or once was: being forgotten between two calls is not its mistake. */
  known(agentId: string): AgentHandle | undefined {
    return this.#everRegistered.get(agentId);
  }

  list(): RegisteredAgent[] {
    return [...this.#agents.keys()].map((id) => this.#alive(id)).filter((agent) => agent !== undefined);
  }

  forget(): void {
    this.#agents.clear();
  }

  #alive(agentId: string): RegisteredAgent | undefined {
    const agent = this.#agents.get(agentId);
    if (agent === undefined || this.#now() - agent.lastHeartbeat <= this.#expiryMs) return agent;
    this.#agents.delete(agentId);
    return undefined;
  }
}
