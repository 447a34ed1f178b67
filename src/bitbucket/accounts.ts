import { createHash } from 'node:crypto';
import type { Credentials, IntegrationConfig } from '../config/config.ts';
import type { SatelliteError } from '../errors.ts';
import { Gate, type GateOptions } from './gate.ts';

/** One credential on one server, and the gate of its user. */
export interface Account {
  readonly authorization: string;
  readonly gate: Gate;
  /** The answer that refused it: it is not used again by this process, so that the user is not locked. */
  refusal?: SatelliteError;
  /** The same for clones, where Bitbucket takes the credential for requests but not for git: no clone is tried with it again. */
  gitRefusal?: SatelliteError;
  /** Base URLs of servers that have sent it a raw diff. */
  readonly rawDiffsOf: Set<string>;
}

/** A gate and what each integration that comes through it may ask, by the integration's id. */
interface SharedGate {
  readonly gate: Gate;
  readonly limits: Map<string, GateOptions>;
}

/**
 * The accounts of a process, shared by all its jobs: what one of them has learned of a credential or of a user's rate
 * holds for the next one, too. Bitbucket counts requests by user, so credentials of one user share a gate.
 */
export class Accounts {
  readonly #accounts = new Map<string, Account>();
  readonly #gates = new Map<string, SharedGate>();

  /** What the integration may ask holds, from here on, for all that share its gates: the strictest of them counts. */
  of({ id, url, allCredentials, rateLimit }: IntegrationConfig): Account[] {
    const { origin } = new URL(url);
    return allCredentials.map((credentials) => {
      const authorization = authorizationOf(credentials);
      const shared = entry(this.#gates, `${origin} ${userOf(credentials)}`, () => ({
        gate: new Gate(rateLimit),
        limits: new Map(),
      }));
      if (shared.limits.get(id) !== rateLimit) {
        shared.limits.set(id, rateLimit);
        shared.gate.keepTo(strictest([...shared.limits.values()]));
      }
      return entry(this.#accounts, `${origin} ${authorization}`, () => newAccount(authorization, shared.gate));
    });
  }

  close(): void {
    for (const { gate } of this.#gates.values()) gate.close();
  }
}

function strictest(limits: readonly GateOptions[]): GateOptions {
  const rates = limits.map(({ requestsPerSecond }) => requestsPerSecond).filter((rate) => rate !== undefined);
  return {
    maxInFlight: Math.min(...limits.map(({ maxInFlight }) => maxInFlight)),
    ...(rates.length === 0 ? {} : { requestsPerSecond: Math.min(...rates) }),
  };
}

/** For a single credential, whichever gate it is to use. */
export function soleAccount({ credentials }: Pick<IntegrationConfig, 'credentials'>, gate: Gate): Account[] {
  return [newAccount(authorizationOf(credentials), gate)];
}

function newAccount(authorization: string, gate: Gate): Account {
  return { authorization, gate, rawDiffsOf: new Set() };
}

/** Those that are not refused, one for each user, the one with the shortest queue first. */
export function usableAccounts(accounts: readonly Account[], isForGit = false): Account[] {
  return accounts
    .filter((account) => refusalOf(account, isForGit) === undefined)
    .filter(({ gate }, index, all) => all.findIndex((other) => other.gate === gate) === index)
    .sort((a, b) => loadOf(a.gate) - loadOf(b.gate));
}

/**
 * Waits at the gates of all the accounts at once and runs the task as the one whose gate lets it in first: one that is
 * closed for an hour, or slower than the others, keeps nobody who may come as another.
 *
 * @param onTurn told how long the task waited for the rate and for pauses
 */
export async function runAsFirst<T>(
  accounts: readonly Account[],
  task: (account: Account) => Promise<T>,
  signal: AbortSignal | undefined,
  onTurn: (waitedMs: number) => void,
): Promise<T> {
  const [sole] = accounts;
  if (sole !== undefined && accounts.length === 1) return sole.gate.run(() => task(sole), signal, onTurn);
  return new Promise<T>((resolve, reject) => {
    const queues = accounts.map((account) => ({ account, leave: new AbortController() }));
    for (const { account, leave } of queues) {
      const own = signal === undefined ? leave.signal : AbortSignal.any([signal, leave.signal]);
      const isLetIn = (waitedMs: number) => {
        for (const other of queues) if (other.leave !== leave) other.leave.abort();
        onTurn(waitedMs);
      };
      account.gate
        .run(() => task(account), own, isLetIn)
        .then(resolve, (error) => {
          if (!leave.signal.aborted) reject(error);
        });
    }
  });
}

/** Why it may not be used; undefined: it may. */
export function refusalOf({ refusal, gitRefusal }: Account, isForGit: boolean): SatelliteError | undefined {
  return refusal ?? (isForGit ? gitRefusal : undefined);
}

function loadOf(gate: Gate): number {
  return gate.isPaused ? Number.MAX_SAFE_INTEGER : gate.waiting + gate.inFlight;
}

function authorizationOf(credentials: Credentials): string {
  if (credentials.kind === 'bearer') return `Bearer ${credentials.token}`;
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

/** Whose a token is cannot be seen, so each counts as a user. */
function userOf(credentials: Credentials): string {
  if (credentials.kind === 'basic') return `user ${credentials.username.toLowerCase()}`;
  return `token ${createHash('sha256').update(credentials.token).digest('hex')}`;
}

function entry<T>(map: Map<string, T>, key: string, make: () => T): T {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
