/** What a simulated Bitbucket is made of; every default is written out in `settingsOf`. */

export type Credential =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** Without `username` it is a project or repository token: no user stands behind it, so no `X-AUSERNAME` either. */
  | { readonly kind: 'bearer'; readonly token: string; readonly username?: string };

export interface KnownUser {
  readonly name: string;
  readonly emailAddress: string;
  readonly displayName: string;
  readonly id: number;
}

export interface RepositoryName {
  readonly projectKey: string;
  readonly slug: string;
}

export interface RepositoryOptions extends RepositoryName {
  /** A bare repository, or a folder that holds a working copy. Read again whenever its refs change. */
  readonly gitDir: string;
  readonly name?: string;
  readonly projectName?: string;
  readonly description?: string;
  readonly archived?: boolean;
  readonly public?: boolean;
  readonly state?: 'AVAILABLE' | 'INITIALISING' | 'INITIALISATION_FAILED' | 'OFFLINE';
  /** The repository, listed earlier, that this one is a fork of. */
  readonly originOf?: RepositoryName;
}

/** The server properties `page.max.*`. */
interface Caps {
  readonly commits: number;
  readonly activities: number;
  readonly repositories: number;
  readonly branches: number;
  readonly pullRequests: number;
  readonly tags: number;
  /** Hard: nothing past it can be paged to. */
  readonly changes: number;
  readonly diffLines: number;
}

export interface RateLimit {
  readonly capacity: number;
  readonly refillPerSecond: number;
  /** Whether a 429 carries `Retry-After`; real servers disagree. */
  readonly retryAfter?: boolean;
  /** The limit is a default of the server's: asked for the user's own settings, it says that there are none. */
  readonly isUntold?: boolean;
}

export interface SimulatorOptions {
  readonly repositories: readonly RepositoryOptions[];
  /** E.g. `/bitbucket`. */
  readonly contextPath?: string;
  /** By default `satellite` with the password `simulator`; nobody is let in without. */
  readonly credentials?: readonly Credential[];
  readonly version?: string;
  /** What `order=NEWEST` sorts by: Atlassian never said, so a crawler has to live with both. */
  readonly pullRequestOrder?: 'created' | 'updated';
  /** One merged pull request per merge on the first-parent line of the default branch; on by default. */
  readonly derivePullRequests?: boolean;
  readonly rateLimit?: RateLimit;
  readonly latencyMs?: number;
  /** False: `…/diff?until=` is no route, as on old servers. */
  readonly rawDiff?: boolean;
  /** How a route that does not exist is answered; by default as the `Accept` header has it. */
  readonly unknownRoute?: 'negotiated' | 'xml';
  readonly caps?: Partial<Caps>;
  /** Pages come short or empty before the end, and their starts cannot be computed. */
  readonly filteredPages?: boolean;
  /** Accounts: a commit whose e-mail address is one of theirs shows the account instead of the bare name. */
  readonly users?: readonly KnownUser[];
  /** The clock of everything that is scripted, epoch milliseconds. */
  readonly now?: () => number;
  /** 0, the default, is any free port. */
  readonly port?: number;
}

type Defaulted = Omit<SimulatorOptions, 'rateLimit'>;
export type Settings = Required<Defaulted> & { readonly caps: Caps; readonly rateLimit: RateLimit | undefined };

export function settingsOf(options: SimulatorOptions): Settings {
  const { rateLimit, ...rest } = options;
  return {
    credentials: [{ kind: 'basic', username: 'satellite', password: 'simulator' }],
    version: '9.4.0',
    pullRequestOrder: 'created',
    derivePullRequests: true,
    latencyMs: 0,
    rawDiff: true,
    unknownRoute: 'negotiated',
    filteredPages: false,
    users: [],
    now: Date.now,
    port: 0,
    ...rest,
    contextPath: (options.contextPath ?? '').replace(/\/+$/, ''),
    rateLimit,
    caps: {
      commits: 100,
      activities: 500,
      repositories: 1000,
      branches: 1000,
      pullRequests: 1000,
      tags: 1000,
      changes: 1000,
      diffLines: 10_000,
      ...options.caps,
    },
  };
}

/** Whether a version such as `8.19.2` is at least `major.minor`. */
export function versionAtLeast(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}
