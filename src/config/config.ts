/** The configuration as the rest of the program sees it: every default filled in, every spelling resolved. */
export interface Config {
  /** Path of the file it was read from, for messages. */
  readonly path: string;
  readonly satellite: SatelliteConfig;
  /** Only those with `application: bitbucket_server`; their ids are what SEI is told. */
  readonly integrations: readonly IntegrationConfig[];
}

export interface SatelliteConfig {
  readonly tenant: string;
  readonly apiKey: string;
  /** Base URL of SEI without a trailing slash and without `/v1`. */
  readonly url: string;
  readonly schedulingIntervalSeconds: number;
  /** Absolute path of the folder that holds the store. */
  readonly dataDir: string;
  /** Cron expression, UTC: scans without a job from SEI. */
  readonly schedule?: string;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  readonly push: { readonly maxPageBytes: number };
  /** Disk for the store; the crawl waits for SEI to take pages where it is used up. */
  readonly store: { readonly maxBytes: number };
  readonly tls: TlsConfig;
  /** Where health, metrics and the status page are served; undefined: not at all. */
  readonly listen?: ListenAddress;
  /** Undefined: what the environment says (`HTTPS_PROXY`, `NO_PROXY`). */
  readonly proxy?: ProxyConfig;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface ProxyConfig {
  readonly type: 'http' | 'socks';
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  /** Name of the header that carries user and password. */
  readonly authorizationHeader: string;
  /** False: the traffic to SEI only. */
  readonly allTraffic: boolean;
}

/** Absolute paths of PEM files; a client certificate never comes without its key. */
export interface TlsConfig {
  /** Trusted in addition to the system's authorities. */
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
/** `auto`: readable text on a terminal, JSON lines elsewhere. */
export type LogFormat = 'auto' | 'json' | 'text';

export interface IntegrationConfig {
  readonly id: string;
  /** Base URL of the Bitbucket server with its context path, without a trailing slash. */
  readonly url: string;
  /** The first of `allCredentials`. */
  readonly credentials: Credentials;
  /** More than one with `authentication: multiple_api_keys`. */
  readonly allCredentials: readonly Credentials[];
  readonly tls: TlsConfig & { readonly insecure: boolean };
  readonly rateLimit: {
    /** Undefined: no limit of our own beyond the in-flight limit. */
    readonly requestsPerSecond?: number;
    readonly maxInFlight: number;
  };
  readonly metadata: MetadataConfig;
}

export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string };

export interface MetadataConfig {
  /** Empty: all. Entries match the name, the slug, `KEY/slug`, or are globs over those. */
  readonly repos: readonly string[];
  /** Empty: all. Entries match the name or the key, or are globs over those. */
  readonly projects: readonly string[];
  readonly excludeRepos: readonly string[];
  readonly archived: 'include' | 'exclude';
  /** Besides the default branch: names or globs, or `all`. Empty: the default branch alone. */
  readonly branches: readonly string[];
  readonly fetchCommits: boolean;
  readonly fetchCommitFiles: boolean;
  readonly fetchPrs: boolean;
  readonly fetchPrReviews: boolean;
  readonly fetchPrCommits: boolean;
  readonly fetchTags: boolean;
  /** How far a full scan reaches back. */
  readonly backfillDays: number;
  /** Where commits and their files come from. */
  readonly commitSource: 'rest' | 'git';
  /** False: a clone is removed as soon as its repository is read. */
  readonly keepClones: boolean;
}
