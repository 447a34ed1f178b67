/**
 * The records SEI stores, field by field (sei-protocol §4.6). Names are Bitbucket's own; what is not listed here is not
 * sent. A field without a value is left out, never null.
 */

export interface LinksRecord {
  readonly self?: readonly { readonly href: string }[];
  readonly clone?: readonly { readonly href: string; readonly name?: string }[];
}

export interface ProjectRecord {
  readonly key: string;
  readonly id?: number;
  readonly name?: string;
  readonly description?: string;
  readonly public?: boolean;
  readonly type?: string;
  readonly links?: LinksRecord;
}

export interface RepositoryRecord {
  readonly slug: string;
  readonly id: number;
  /** SEI's identity of the repository. */
  readonly name: string;
  readonly description?: string;
  readonly hierarchyId?: string;
  readonly scmId?: string;
  readonly state?: string;
  readonly statusMessage?: string;
  readonly forkable?: boolean;
  readonly project?: ProjectRecord;
  readonly public?: boolean;
  readonly links?: LinksRecord;
  /** Display id; only in the data type `repositories`. */
  readonly defaultBranch?: string;
}

export interface UserRecord {
  readonly name?: string;
  readonly emailAddress?: string;
  readonly id?: number;
  readonly displayName?: string;
  readonly active?: boolean;
  readonly slug?: string;
  readonly type?: string;
}

export interface ParentRecord {
  readonly id: string;
  readonly displayId?: string;
}

export interface PathRecord {
  readonly components: readonly string[];
  /** Folder, `''` at the root. */
  readonly parent: string;
  readonly name: string;
  readonly extension?: string;
  /** The full path: a property, as in Bitbucket's own JSON, not the method. */
  readonly toString: string;
}

/** The side of a file that does not exist: `{}`. */
export type AbsentPathRecord = Readonly<Record<string, never>>;

export interface FileRecord {
  /** The base name of the destination, or of the source when the file was deleted. */
  readonly fileName: string;
  readonly source: PathRecord | AbsentPathRecord;
  readonly destination: PathRecord | AbsentPathRecord;
  readonly linesRemoved: number;
  readonly linesAdded: number;
}

export interface CommitRecord {
  readonly id: string;
  readonly displayId?: string;
  /** SEI reads both people without a check: they are always there, `{}` at worst. */
  readonly author: UserRecord;
  readonly committer: UserRecord;
  /** Epoch milliseconds, as all dates. */
  readonly authorTimestamp?: number;
  readonly committerTimestamp: number;
  readonly message?: string;
  readonly parents?: readonly ParentRecord[];
  readonly projectName?: string;
  readonly repoName: string;
  readonly commitUrl: string;
  /** These three are absent when the files of the commit are not known. */
  readonly additions?: number;
  readonly deletions?: number;
  readonly files?: readonly FileRecord[];
}

export interface RefRecord {
  readonly id?: string;
  readonly displayId?: string;
  readonly latestCommit?: string;
  readonly repository?: RepositoryRecord;
}

export interface ParticipantRecord {
  readonly user: UserRecord;
  readonly role?: string;
  readonly approved?: boolean;
  readonly status?: string;
  readonly lastReviewedCommit?: string;
}

/** The commit of a MERGED activity; parents may be whole commits themselves. */
export interface ActivityCommitRecord {
  readonly id: string;
  readonly displayId?: string;
  readonly author?: UserRecord;
  readonly authorTimestamp?: number;
  readonly committer?: UserRecord;
  readonly committerTimestamp?: number;
  readonly message?: string;
  readonly parents?: readonly ActivityCommitRecord[];
}

export interface ActivityRecord {
  readonly id?: number;
  readonly createdDate?: number;
  readonly user: UserRecord;
  readonly action: string;
  readonly commit?: ActivityCommitRecord;
}

export interface PullRequestPropertiesRecord {
  readonly mergeResult?: { readonly outcome?: string; readonly current?: boolean };
  readonly resolvedTaskCount?: number;
  readonly openTaskCount?: number;
}

export interface PullRequestRecord {
  readonly id: number;
  readonly version?: number;
  readonly title?: string;
  readonly description?: string;
  readonly state: string;
  readonly open?: boolean;
  readonly closed?: boolean;
  readonly locked?: boolean;
  readonly createdDate?: number;
  readonly updatedDate?: number;
  readonly fromRef: RefRecord;
  readonly toRef: RefRecord;
  readonly author: ParticipantRecord;
  readonly reviewers: readonly ParticipantRecord[];
  readonly participants: readonly ParticipantRecord[];
  readonly links?: LinksRecord;
  readonly properties?: PullRequestPropertiesRecord;
  readonly commits?: readonly CommitRecord[];
  readonly activities?: readonly ActivityRecord[];
}

export interface TagRecord {
  readonly id: string;
  readonly displayId?: string;
  readonly type?: string;
  readonly latestCommit?: string;
  readonly latestChangeset?: string;
  readonly hash?: string;
}
