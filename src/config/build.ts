import { resolve } from 'node:path';
import type {
  Config,
  Credentials,
  IntegrationConfig,
  MetadataConfig,
  ProxyConfig,
  SatelliteConfig,
  TlsConfig,
} from './config.ts';
import { parseListenAddress } from './listen.ts';
import type { RawConfig, RawIntegration, RawMetadata, RawProxy, RawSatellite, RawTls } from './raw.ts';

/** What was worked out beside the plain data. */
export interface Resolved {
  readonly path: string;
  /** What relative paths are relative to. */
  readonly folder: string;
  readonly dataDir: string;
  readonly seiUrl: string;
  readonly integrations: readonly ResolvedIntegration[];
}

export interface ResolvedIntegration {
  readonly raw: RawIntegration;
  readonly url: string;
  readonly credentials: readonly [Credentials, ...Credentials[]];
  readonly repos: readonly string[];
  readonly projects: readonly string[];
}

/** Checked plain data to the typed configuration. Nothing in here can fail. */
export function buildConfig(raw: RawConfig, resolved: Resolved): Config {
  return {
    path: resolved.path,
    satellite: satelliteOf(raw.satellite, resolved),
    integrations: resolved.integrations.map((integration) => integrationOf(integration, resolved.folder)),
  };
}

function satelliteOf(raw: RawSatellite, resolved: Resolved): SatelliteConfig {
  const listen = parseListenAddress(raw.listen);
  const proxy = raw.proxy && proxyOf(raw.proxy);
  return {
    tenant: raw.tenant,
    apiKey: raw.api_key,
    url: resolved.seiUrl,
    schedulingIntervalSeconds: raw.scheduling_interval,
    dataDir: resolved.dataDir,
    ...(raw.schedule !== undefined && { schedule: raw.schedule }),
    log: raw.log,
    push: { maxPageBytes: raw.push.max_page_bytes },
    store: { maxBytes: raw.store.max_bytes },
    tls: tlsOf(raw.tls, resolved.folder),
    ...(listen !== undefined && listen !== 'off' && { listen }),
    ...(proxy && { proxy }),
  };
}

function proxyOf(raw: RawProxy): ProxyConfig | undefined {
  if (raw.host === undefined) return undefined;
  return {
    type: raw.type,
    host: raw.host,
    port: raw.port,
    ...(raw.username !== undefined && { username: raw.username }),
    ...(raw.password !== undefined && { password: raw.password }),
    authorizationHeader: raw.authorization_header,
    allTraffic: raw.all_traffic,
  };
}

function tlsOf(raw: RawTls, folder: string): TlsConfig {
  const absolute = (path: string) => resolve(folder, path);
  return {
    ...(raw.ca_file !== undefined && { caFile: absolute(raw.ca_file) }),
    ...(raw.cert_file !== undefined && { certFile: absolute(raw.cert_file) }),
    ...(raw.key_file !== undefined && { keyFile: absolute(raw.key_file) }),
  };
}

function integrationOf(resolved: ResolvedIntegration, folder: string): IntegrationConfig {
  const { raw, url, credentials, repos, projects } = resolved;
  const requestsPerSecond = raw.rate_limit.requests_per_second;
  return {
    id: raw.id,
    url,
    credentials: credentials[0],
    allCredentials: credentials,
    tls: { ...tlsOf(raw.tls, folder), insecure: raw.tls.insecure },
    rateLimit: {
      ...(requestsPerSecond !== undefined && { requestsPerSecond }),
      maxInFlight: raw.rate_limit.max_in_flight,
    },
    metadata: { ...metadataOf(raw.metadata), repos, projects },
  };
}

function metadataOf(raw: RawMetadata): Omit<MetadataConfig, 'repos' | 'projects'> {
  return {
    excludeRepos: raw.exclude_repos,
    archived: raw.archived,
    branches: raw.branches.filter((entry) => entry !== 'default'),
    fetchCommits: raw.fetch_commits,
    fetchCommitFiles: raw.fetch_commit_files,
    fetchPrs: raw.fetch_prs,
    fetchPrReviews: raw.fetch_pr_reviews,
    fetchPrCommits: raw.fetch_pr_commits,
    fetchTags: raw.fetch_tags,
    backfillDays: raw.backfill_days,
    commitSource: raw.commit_source,
    keepClones: raw.keep_clones,
  };
}
