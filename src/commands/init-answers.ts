/** Where a secret is kept; in the file itself only where it was typed or piped in. */
export type Secret =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string }
  /** Absolute. */
  | { readonly kind: 'file'; readonly path: string };

/** All that a `satellite.yml` needs, and what is often wanted beside it. */
export interface Answers {
  readonly tenant: string;
  readonly seiUrl: string;
  readonly seiKey: Secret;
  readonly integrationId: string;
  /** Base URL, whatever page of Bitbucket the address was copied from. */
  readonly bitbucketUrl: string;
  /** Undefined: the secret is a token alone. */
  readonly username: string | undefined;
  readonly bitbucketKey: Secret;
  /** Empty: all. */
  readonly repos: readonly string[];
  /** Empty: all. */
  readonly projects: readonly string[];
  /** Absolute. */
  readonly bitbucketCaFile: string | undefined;
  /** Absolute. */
  readonly dataDir: string | undefined;
}
