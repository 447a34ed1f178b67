import type { IncomingHttpHeaders } from 'node:http';
import type { SatelliteConfig } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';
import { type Env, seiProxy } from '../http/proxy-server.ts';
import { SeiClient } from '../sei/sei-client.ts';
import type { Checkup } from './checkup.ts';
import { type DateSeen, dateSeen, stepClock } from './clock-skew.ts';
import { checkWay } from './leg-way.ts';
import type { Tell } from './step.ts';
import { wayTo } from './way.ts';

const requestTimeoutMs = 30_000;

/** SEI, by one request that changes nothing (`SeiClient.probe`): its answer tells about the server, the key and the tenant. */
export async function checkSei(checkup: Checkup, satellite: SatelliteConfig, env: Env): Promise<void> {
  const { url, tls, tenant } = satellite;
  const leg = checkup.leg(`SEI ${url}`, { leg: 'sei' });
  const { clock } = checkup;
  const proxy = seiProxy(satellite, env);
  await checkWay(checkup, leg, wayTo('SEI', url, { tls, proxy }));

  let seen: DateSeen | undefined;
  const probing = {
    timeoutMs: requestTimeoutMs,
    onAnswer: ({ date }: IncomingHttpHeaders) => {
      seen = dateSeen(date, clock.now());
    },
  };
  const sei = new SeiClient(satellite, { clock, proxy, probing });
  const answer = await leg.step('sei', 'SEI answers', () => askSei(sei, url), { required: true });
  await stepClock(leg, seen);
  await leg.step('key', 'API key', (tell) => judgeKey(answer?.refusal, tell), { required: true });
  await leg.step('tenant', 'Tenant', (tell) => judgeTenant(answer?.refusal, tenant, tell));
}

interface SeiAnswer {
  /** 401 or 403. */
  readonly refusal?: SatelliteError;
}

async function askSei(sei: SeiClient, url: string): Promise<SeiAnswer> {
  try {
    await sei.probe();
    return {};
  } catch (error) {
    if (!(error instanceof SatelliteError)) throw error;
    if (error.kind === 'auth') return { refusal: error };
    throw error.kind === 'gone' ? notSei(url, error) : error;
  }
}

function notSei(url: string, cause: SatelliteError): SatelliteError {
  return new SatelliteError(`There is no SEI at ${url} (${cause.statusCode})`, {
    code: 'SEI_NOT_FOUND',
    kind: 'config',
    hint: 'Copy satellite.url from the satellite.yml that Harness makes: it differs from one cluster to the next.',
    cause,
  });
}

/** A key that does not hold is 401; 403 comes after the key is known (sei-protocol §1.2). */
function judgeKey(refusal: SatelliteError | undefined, tell: Tell): void {
  if (refusal?.statusCode === 401) throw refusal;
  tell({ detail: refusal === undefined ? 'accepted' : `known, as SEI answers ${refusal.statusCode} and not 401` });
}

function judgeTenant(refusal: SatelliteError | undefined, tenant: string, tell: Tell): void {
  if (refusal === undefined) {
    tell({ detail: `the key belongs to ${tenant}` });
    return;
  }
  throw new SatelliteError(`SEI does not take this key for the tenant ${tenant} (${refusal.statusCode})`, {
    code: 'SEI_TENANT_REFUSED',
    kind: 'auth',
    hint: 'Check satellite.tenant: it is the account that the key was made in. If that is right, the key may not ingest: make one that may.',
    cause: refusal,
  });
}
