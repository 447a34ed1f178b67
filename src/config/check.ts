import { parseBitbucketUrl } from './bitbucket-url.ts';
import type { ResolvedIntegration } from './build.ts';
import { credentialsOf } from './credentials.ts';
import { OUR_APPLICATION } from './names.ts';
import { type Finding, fault, finding } from './problem.ts';
import type { RawConfig, RawIntegration } from './raw.ts';
import { parseSeiUrl } from './sei-url.ts';
import { nodeAt, type Path, type TreeNode } from './tree.ts';

export interface Checked {
  readonly integrations: readonly ResolvedIntegration[];
  /** Without spans: a path says where. */
  readonly found: readonly Finding[];
}

/**
 * What a schema cannot say about integrations: that their ids differ, that there is something to log in with, what the
 * address means. `sound` tells whether the validator was content with a part; other parts are left alone.
 */
export function checkIntegrations(raw: Partial<RawConfig>, sound: (path: Path) => boolean): Checked {
  if (!Array.isArray(raw.integrations)) return { integrations: [], found: [] };
  const list: RawConfig['integrations'] = raw.integrations;
  const found: Finding[] = [];
  const integrations: ResolvedIntegration[] = [];
  const ids = new Map<string, number>();
  for (const [index, integration] of list.entries()) {
    const path: Path = ['integrations', index];
    if (!sound(path) || !isOurs(integration)) continue;
    const first = ids.get(integration.id);
    if (first === undefined) {
      ids.set(integration.id, index);
    } else {
      const expected = 'an id of its own for each integration';
      found.push(fault('DUPLICATE_ID', [...path, 'id'], `integrations[${first}] has the same id`, { expected }));
    }
    const resolved = resolveIntegration(integration, path, found);
    if (resolved) integrations.push(resolved);
  }
  const none = list.every(
    (integration) => integration?.application !== undefined && integration.application !== OUR_APPLICATION,
  );
  if (none && sound(['integrations'])) {
    found.push(
      fault('NO_INTEGRATION', ['integrations'], 'nothing here for this satellite', {
        expected: `an integration with application: ${OUR_APPLICATION}`,
      }),
    );
  }
  return { integrations, found };
}

function isOurs(integration: RawConfig['integrations'][number]): integration is RawIntegration {
  return integration.application === OUR_APPLICATION;
}

function resolveIntegration(raw: RawIntegration, path: Path, found: Finding[]): ResolvedIntegration | undefined {
  const credentials = credentialsOf(raw);
  const url = parseBitbucketUrl(raw.url);
  if ('missing' in credentials) {
    found.push(
      fault('MISSING_CREDENTIALS', [...path, ...credentials.missing], `missing: ${credentials.message}`, {
        expected: credentials.expected,
      }),
    );
    return undefined;
  }
  if ('problem' in url) return undefined;
  if (raw.keys && raw.authentication !== 'multiple_api_keys') {
    found.push(
      finding('warning', 'KEYS_UNUSED', [...path, 'keys'], `not used with authentication ${raw.authentication}`, {
        expected: 'authentication: multiple_api_keys',
      }),
    );
  }
  if (raw.tls.insecure) {
    const message = 'the certificate of this server is not verified: anyone on the way can read the credentials';
    found.push(
      finding('warning', 'TLS_INSECURE', [...path, 'tls', 'insecure'], message, {
        expected: 'tls.ca_file with the authority that signed it',
      }),
    );
  }
  if (url.readable) found.push(withoutTls([...path, 'url'], 'the credentials'));
  if (url.hasLogin) found.push(loginIgnored([...path, 'url']));
  const filtered = raw.metadata.repos.length + raw.metadata.projects.length > 0;
  const only = url.repo ?? url.project;
  if (only !== undefined) {
    const what = url.repo === undefined ? `the project ${only}` : `the repository ${only}`;
    const message = filtered
      ? `the address of ${what}; metadata says what is read`
      : `the address of ${what}; only that is read`;
    found.push(finding('note', 'URL_OF_PAGE', [...path, 'url'], message, { expected: `${url.url} to read all` }));
  } else if (url.shortened && !/\/(?:rest(?:\/api(?:\/[^/]*)?)?|v1)\/*$/.test(raw.url)) {
    found.push(finding('note', 'URL_OF_PAGE', [...path, 'url'], `the address of a page; ${url.url} is used`));
  }
  return {
    raw,
    url: url.url,
    credentials: credentials.all,
    repos: !filtered && url.repo !== undefined ? [url.repo] : raw.metadata.repos,
    projects: !filtered && url.project !== undefined ? [url.project] : raw.metadata.projects,
  };
}

export interface CheckedSatellite {
  readonly url: string;
  readonly found: readonly Finding[];
}

/** What is said about the way to SEI without refusing it. */
export function checkSatellite(
  raw: Partial<RawConfig>,
  root: TreeNode,
  sound: (path: Path) => boolean,
): CheckedSatellite {
  const path: Path = ['satellite', 'url'];
  const text = raw.satellite?.url;
  const url = sound(path) && typeof text === 'string' ? parseSeiUrl(text) : undefined;
  if (!url || 'problem' in url) return { url: '', found: [] };
  const found: Finding[] = [];
  if (!nodeAt(root, path)) {
    const expected = 'url: the base URL of SEI for your cluster, for example https://app.harness.io/gratis/sei/api';
    found.push(finding('warning', 'URL_DEFAULT', path, `missing: the old default ${url.url} is used`, { expected }));
  }
  if (url.readable) found.push(withoutTls(path, 'the API key'));
  if (url.hasLogin) found.push(loginIgnored(path));
  return { url: url.url, found };
}

function withoutTls(path: Path, what: string): Finding {
  return finding('warning', 'URL_WITHOUT_TLS', path, `over http ${what} can be read on the way`, { expected: 'https' });
}

function loginIgnored(path: Path): Finding {
  const message = 'the user and password in this URL are not used; take them out';
  return finding('warning', 'LOGIN_IN_URL', path, message, { expected: 'user and secret as keys of their own' });
}
