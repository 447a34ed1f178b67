import type { LogFormat, LogLevel } from './config.ts';

/** The file's content once the validator has passed it: the schema's shape, with its defaults. */
export interface RawConfig {
  readonly satellite: RawSatellite;
  readonly integrations: readonly (RawIntegration | { readonly application: string })[];
}

export interface RawSatellite {
  readonly tenant: string;
  readonly api_key: string;
  readonly url: string;
  readonly scheduling_interval: number;
  readonly data_dir?: string;
  readonly schedule?: string;
  readonly listen: string;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  readonly push: { readonly max_page_bytes: number };
  readonly store: { readonly max_bytes: number };
  readonly tls: RawTls;
  readonly proxy?: RawProxy;
}

export interface RawTls {
  readonly ca_file?: string;
  readonly cert_file?: string;
  readonly key_file?: string;
}

export interface RawProxy {
  readonly type: 'http' | 'socks';
  readonly host?: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly authorization_header: string;
  readonly all_traffic: boolean;
}

export interface RawCredential {
  readonly username?: string;
  readonly api_key?: string;
  readonly password?: string;
  readonly token?: string;
}

export interface RawIntegration extends RawCredential {
  readonly id: string;
  readonly application: string;
  readonly url: string;
  readonly authentication: 'api_key' | 'basic' | 'bearer' | 'oauth' | 'multiple_api_keys';
  readonly keys?: readonly RawCredential[];
  readonly tls: RawTls & { readonly insecure: boolean };
  readonly rate_limit: { readonly requests_per_second?: number; readonly max_in_flight: number };
  readonly metadata: RawMetadata;
}

export interface RawMetadata {
  readonly repos: readonly string[];
  readonly projects: readonly string[];
  readonly exclude_repos: readonly string[];
  readonly archived: 'include' | 'exclude';
  readonly branches: readonly string[];
  readonly fetch_commits: boolean;
  readonly fetch_commit_files: boolean;
  readonly fetch_prs: boolean;
  readonly fetch_pr_reviews: boolean;
  readonly fetch_pr_commits: boolean;
  readonly fetch_tags: boolean;
  readonly backfill_days: number;
  readonly commit_source: 'rest' | 'git';
  readonly keep_clones: boolean;
}
