import type { IncomingHttpHeaders } from 'node:http';
import { soleAccount } from '../bitbucket/accounts.ts';
import { Bitbucket } from '../bitbucket/bitbucket.ts';
import { BitbucketClient } from '../bitbucket/client.ts';
import { Gate } from '../bitbucket/gate.ts';
import type { Credentials, IntegrationConfig, SatelliteConfig } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';
import { bitbucketProxy, type Env } from '../http/proxy-server.ts';
import type { Checkup, Leg } from './checkup.ts';
import { type DateSeen, dateSeen, stepClock } from './clock-skew.ts';
import { judgeCommitSource } from './commit-source.ts';
import { checkFirstScan } from './first-scan.ts';
import { checkWay } from './leg-way.ts';
import { listProjects, listRepositories } from './lists.ts';
import { identify, judgeVersion, type Server } from './login.ts';
import { readRateLimit } from './rate-limit.ts';
import { checkSelection } from './selection.ts';
import { wayTo } from './way.ts';

const requestTimeoutMs = 30_000;

export interface BitbucketSurroundings {
  readonly satellite: SatelliteConfig;
  readonly env: Env;
  /** Logins that this check saw refused: they are not tried a second time for another integration. */
  readonly refused: Set<string>;
}

/** One integration, from the name of its server to what a first scan will cost. */
export async function checkBitbucket(
  checkup: Checkup,
  integration: IntegrationConfig,
  { satellite, env, refused }: BitbucketSurroundings,
): Promise<void> {
  const { id, url, tls, allCredentials, rateLimit, metadata } = integration;
  const leg = checkup.leg(`Bitbucket ${url}, integration ${id}`, { leg: 'bitbucket', integration: id });
  const { clock } = checkup;
  const proxy = bitbucketProxy(integration, satellite, env);
  await checkWay(checkup, leg, wayTo('BITBUCKET', url, { tls, proxy }));

  const gate = new Gate(rateLimit);
  let seen: DateSeen | undefined;
  const probing = {
    timeoutMs: requestTimeoutMs,
    onAnswer: ({ date }: IncomingHttpHeaders) => {
      seen ??= dateSeen(date, clock.now());
    },
  };
  const logins = allCredentials.map((credentials) => {
    const accounts = soleAccount({ credentials }, gate);
    return {
      credentials,
      bitbucket: new Bitbucket(new BitbucketClient(integration, { accounts, clock, proxy, probing })),
    };
  });
  try {
    const { bitbucket, server } = await logIn(checkup, leg, logins, { url, refused, integration: id });
    await leg.step('version', 'Bitbucket version', (tell) => judgeVersion(server?.version ?? '', tell));
    await stepClock(leg, seen);
    const projects = await leg.step('get-projects', 'Get projects', (tell) => listProjects(bitbucket, tell));
    const repositories = await leg.step('get-repositories', 'Get repositories', (tell) =>
      listRepositories(bitbucket, server?.userName, tell),
    );
    const selected = await checkSelection(leg, metadata, { repositories, projects, bitbucket });
    const userName = server?.userName;
    const grantedPerSecond = await leg.step(
      'rate-limit',
      'Rate limit',
      (tell) => readRateLimit(bitbucket, userName ?? '', rateLimit, tell),
      { unless: userName === undefined ? 'it is asked for by the name of the user' : undefined },
    );
    await leg.step('commit-source', 'Commit source', (tell) => judgeCommitSource(metadata, satellite, tell), {
      always: true,
    });
    await checkFirstScan(checkup, leg, {
      integration,
      bitbucket,
      selected,
      visible: repositories?.all.length ?? 0,
      grantedPerSecond,
    });
  } finally {
    gate.close();
  }
}

interface Login {
  readonly credentials: Credentials;
  readonly bitbucket: Bitbucket;
}

/** With several credentials each is tried, and the first that works reads, as the others are asked in turn later on. */
async function logIn(
  checkup: Checkup,
  leg: Leg,
  logins: readonly Login[],
  names: { readonly url: string; readonly refused: Set<string>; readonly integration: string },
): Promise<{ bitbucket: Bitbucket; server: Server | undefined }> {
  const [first] = logins as readonly [Login, ...Login[]];
  if (logins.length === 1) return { bitbucket: first.bitbucket, server: await stepLogin(leg, 'Login', first, names) };
  const working: { bitbucket: Bitbucket; server: Server }[] = [];
  for (const [index, login] of logins.entries()) {
    const own = checkup.leg('', { leg: 'bitbucket', integration: names.integration });
    if (leg.blocked !== undefined) own.block(leg.blocked);
    const server = await stepLogin(own, `Login ${index + 1} of ${logins.length}`, login, names);
    if (server !== undefined) working.push({ bitbucket: login.bitbucket, server });
  }
  const [reader] = working;
  if (reader !== undefined) return reader;
  leg.block('no login worked');
  return { bitbucket: first.bitbucket, server: undefined };
}

/** Never a second time with what was refused once: some more of those lock the account. */
async function stepLogin(
  leg: Leg,
  title: string,
  { bitbucket, credentials }: Login,
  { url, refused }: { readonly url: string; readonly refused: Set<string> },
): Promise<Server | undefined> {
  const key = JSON.stringify([new URL(url).origin, credentials]);
  if (refused.has(key)) leg.block('Bitbucket has refused these credentials already');
  return leg.step(
    'login',
    title,
    async (tell) => {
      try {
        return await identify(bitbucket, url, tell);
      } catch (error) {
        if (error instanceof SatelliteError && error.kind === 'auth') refused.add(key);
        throw error;
      }
    },
    { required: true },
  );
}
