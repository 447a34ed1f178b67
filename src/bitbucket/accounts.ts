import { createHash } from 'node:crypto';
import type { Credentials, IntegrationConfig } from '../config/config.ts';
import type { SatelliteError } from '../errors.ts';
import { Gate } from './gate.ts';

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

/**
 * The accounts of a process, shared by all its jobs: what one of them has learned of a credential or of a user's rate
 * holds for the next one, too. Bitbucket counts requests by user, so credentials of one user share a gate.
 */
export class Accounts {
  readonly #accounts = new Map<string, Account>();
  readonly #gates = new Map<string, Gate>();

  of({ url, allCredentials, rateLimit }: IntegrationConfig): Account[] {
    const { origin } = new URL(url);
    return allCredentials.map((credentials) => {
      const authorization = authorizationOf(credentials);
      const gate = entry(this.#gates, `${origin} ${userOf(credentials)}`, () => new Gate(rateLimit));
      return entry(this.#accounts, `${origin} ${authorization}`, () => newAccount(authorization, gate));
    });
  }

  close(): void {
    for (const gate of this.#gates.values()) gate.close();
  }
}

/** For a single credential, whichever gate it is to use. */
export function soleAccount({ credentials }: Pick<IntegrationConfig, 'credentials'>, gate: Gate): Account[] {
  return [newAccount(authorizationOf(credentials), gate)];
}

function newAccount(authorization: string, gate: Gate): Account {
  return { authorization, gate, rawDiffsOf: new Set() };
}

/** The one with the shortest queue, of those that are let in now if there are any; undefined: all are refused. */
export function chooseAccount(accounts: readonly Account[], isForGit = false): Account | undefined {
  let best: Account | undefined;
  for (const account of accounts) {
    if (refusalOf(account, isForGit) !== undefined) continue;
    if (best === undefined || loadOf(account.gate) < loadOf(best.gate)) best = account;
  }
  return best;
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
