/**
 * What Bitbucket Data Center answers, as far as the satellite reads it (bitbucket-dc-rest §4, §5).
 *
 * Required are only the fields without which an item is of no use; whatever some version or some account leaves out, or
 * sends as null, is optional. Text that must never leave the customer's network (source lines, comments) has no field
 * here, so nothing can read it by accident.
 */

/** Epoch milliseconds in REST answers; ISO 8601, with or without a colon in the zone, in the webhooks of 10.x (§6). */
export type BitbucketDate = number | string;

export interface BitbucketPage<T> {
  readonly values: readonly T[];
  readonly isLastPage: boolean;
  /** Opaque: neither `start + limit` nor `start + size`; null, absent or nonsense on the last page. */
  readonly nextPageStart?: number | null;
  readonly size?: number;
  /** What the server granted, which may be less than what was asked for. */
  readonly limit?: number;
  readonly start?: number;
}

export interface BitbucketLink {
  readonly href?: string | null;
  /** Of clone links: `http` or `ssh`. */
  readonly name?: string | null;
}

export interface BitbucketLinks {
  /** Some answers hold a null instead of a link. */
  readonly self?: readonly (BitbucketLink | null)[] | null;
  readonly clone?: readonly (BitbucketLink | null)[] | null;
}

export interface BitbucketProject {
  /** `~USER` for the project of a person. */
  readonly key: string;
  readonly id?: number | null;
  readonly name?: string | null;
  readonly description?: string | null;
  readonly public?: boolean | null;
  /** `NORMAL` or `PERSONAL`. */
  readonly type?: string | null;
  readonly links?: BitbucketLinks | null;
}

/** A token bucket of requests. */
export interface BitbucketRateLimit {
  /** Exempt from the limit. */
  readonly whitelisted?: boolean | null;
  readonly settings?: { readonly capacity?: number | null; readonly fillRate?: number | null } | null;
}

export interface BitbucketRepository {
  /** The only name that never changes: key and slug do. */
  readonly id: number;
  readonly slug: string;
  readonly name: string;
  readonly project: BitbucketProject;
  readonly description?: string | null;
  /** Shared by a repository and all its forks. */
  readonly hierarchyId?: string | null;
  readonly scmId?: string | null;
  /** `AVAILABLE`, `INITIALISING`, `INITIALISATION_FAILED` or `OFFLINE`. */
  readonly state?: string | null;
  readonly statusMessage?: string | null;
  readonly forkable?: boolean | null;
  readonly public?: boolean | null;
  /** Since 8.0. */
  readonly archived?: boolean | null;
  /** What it was forked from. */
  readonly origin?: BitbucketRepository | null;
  readonly links?: BitbucketLinks | null;
}

/** An account, or only `name` and `emailAddress` where the e-mail of a commit belongs to no account. */
export interface BitbucketUser {
  /** The login of an account; the display name where there is no account. */
  readonly name?: string | null;
  readonly emailAddress?: string | null;
  readonly id?: number | null;
  readonly displayName?: string | null;
  readonly active?: boolean | null;
  readonly slug?: string | null;
  readonly type?: string | null;
}

export interface BitbucketCommit {
  readonly id: string;
  readonly displayId?: string | null;
  readonly author?: BitbucketUser | null;
  readonly authorTimestamp?: BitbucketDate | null;
  readonly committer?: BitbucketUser | null;
  readonly committerTimestamp?: BitbucketDate | null;
  readonly message?: string | null;
  /** Only `id` and `displayId` in lists; whole commits in a single commit and in the commit of a MERGED activity. */
  readonly parents?: readonly BitbucketCommit[] | null;
}

export interface BitbucketBranch {
  /** `refs/heads/…` */
  readonly id: string;
  readonly displayId: string;
  readonly latestCommit: string;
  readonly type?: string | null;
  readonly isDefault?: boolean | null;
}

export interface BitbucketTag {
  /** `refs/tags/…` */
  readonly id: string;
  readonly displayId?: string | null;
  readonly type?: string | null;
  readonly latestCommit?: string | null;
  readonly latestChangeset?: string | null;
  /** The tag object of an annotated tag, null for a lightweight one. */
  readonly hash?: string | null;
}

export interface BitbucketPullRequestRef {
  readonly id?: string | null;
  readonly displayId?: string | null;
  readonly latestCommit?: string | null;
  readonly repository?: BitbucketRefRepository | null;
}

/** The source may be a fork that was deleted since. */
export interface BitbucketRefRepository extends Omit<BitbucketRepository, 'project'> {
  readonly project?: BitbucketProject | null;
}

/** An author, reviewer or participant of a pull request. */
export interface BitbucketParticipant {
  readonly user?: BitbucketUser | null;
  /** `AUTHOR`, `REVIEWER` or `PARTICIPANT`. */
  readonly role?: string | null;
  readonly approved?: boolean | null;
  /** `APPROVED`, `UNAPPROVED` or `NEEDS_WORK`. */
  readonly status?: string | null;
  readonly lastReviewedCommit?: string | null;
}

export interface BitbucketPullRequestProperties {
  readonly mergeResult?: { readonly outcome?: string | null; readonly current?: boolean | null } | null;
  readonly resolvedTaskCount?: number | null;
  readonly openTaskCount?: number | null;
  /** Top-level comments only; absent when zero on some versions. */
  readonly commentCount?: number | null;
}

export interface BitbucketPullRequest {
  /** Unique per target repository. */
  readonly id: number;
  readonly version?: number | null;
  readonly title?: string | null;
  readonly description?: string | null;
  /** `OPEN`, `MERGED` or `DECLINED`. */
  readonly state?: string | null;
  readonly open?: boolean | null;
  readonly closed?: boolean | null;
  readonly locked?: boolean | null;
  readonly createdDate?: BitbucketDate | null;
  /** Does not move on comments, approvals or changes of reviewers (§1). */
  readonly updatedDate?: BitbucketDate | null;
  readonly closedDate?: BitbucketDate | null;
  readonly fromRef?: BitbucketPullRequestRef | null;
  readonly toRef?: BitbucketPullRequestRef | null;
  readonly author?: BitbucketParticipant | null;
  readonly reviewers?: readonly BitbucketParticipant[] | null;
  readonly participants?: readonly BitbucketParticipant[] | null;
  readonly properties?: BitbucketPullRequestProperties | null;
  readonly links?: BitbucketLinks | null;
}

/** Comments, their anchors and the diff around them are part of the answer but have no field here: they are not read. */
export interface BitbucketActivity {
  readonly id?: number | null;
  readonly createdDate?: BitbucketDate | null;
  readonly user?: BitbucketUser | null;
  /** `OPENED`, `COMMENTED`, `MERGED`, …; new versions add new ones. */
  readonly action: string;
  /** Of a MERGED activity; absent when the merge was a plain push. */
  readonly commit?: BitbucketCommit | null;
}

/** The answer also has the full path as a property `toString`, which hides the method: never interpolate a path. */
export interface BitbucketPath {
  readonly components?: readonly string[] | null;
  readonly parent?: string | null;
  readonly name?: string | null;
  readonly extension?: string | null;
}

interface BitbucketMaybeTruncated {
  readonly truncated?: boolean | null;
}

/** The JSON form of a diff, without the text of its lines. */
export interface BitbucketJsonDiff extends BitbucketMaybeTruncated {
  readonly diffs?: readonly BitbucketFileDiff[] | null;
}

export interface BitbucketFileDiff extends BitbucketMaybeTruncated {
  readonly source?: BitbucketPath | null;
  readonly destination?: BitbucketPath | null;
  readonly binary?: boolean | null;
  /** Absent for binaries and pure renames. */
  readonly hunks?: readonly BitbucketHunk[] | null;
}

interface BitbucketHunk extends BitbucketMaybeTruncated {
  readonly segments?: readonly BitbucketSegment[] | null;
}

interface BitbucketSegment extends BitbucketMaybeTruncated {
  /** `ADDED`, `REMOVED` or `CONTEXT`. */
  readonly type?: string | null;
  readonly lines?: readonly BitbucketMaybeTruncated[] | null;
}
