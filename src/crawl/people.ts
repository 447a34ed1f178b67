import type { BitbucketCommit, BitbucketRepository, BitbucketUser } from '../bitbucket/types.ts';
import { SatelliteError } from '../errors.ts';
import type { GitPerson, LoggedCommit } from '../git/log-parser.ts';
import { repositoryPath } from './repository-path.ts';
import type { Scan } from './scan.ts';

/** A person takes about 300 bytes; beyond this the first ones are asked for again. */
const maxRemembered = 20_000;

/**
 * Who the people of commits are at Bitbucket, which shows an account wherever the e-mail address of a commit belongs to
 * one; git knows the address alone. It is learned from whatever commits Bitbucket shows, and where it has shown none of
 * somebody yet, it is asked for the hundred commits that end with one of theirs: most of the others are among them.
 * Remembered for one scan only, as accounts change.
 */
export class People {
  /** By e-mail address in lower case; null: no account. */
  readonly #accounts = new Map<string, BitbucketUser | null>();

  learn(commits: readonly BitbucketCommit[]): void {
    for (const { author, committer } of commits) {
      for (const user of [author, committer]) if (user) this.#remember(user.emailAddress ?? '', user);
    }
  }

  /** The commit as Bitbucket shows it. */
  async identified(scan: Scan, repository: BitbucketRepository, logged: LoggedCommit): Promise<BitbucketCommit> {
    const { commit } = logged;
    const isKnown = ({ emailAddress = '' }: GitPerson) => this.#accounts.has(keyOf(emailAddress));
    if (!isKnown(commit.author) || !isKnown(commit.committer)) await this.#ask(scan, repository, commit);
    return { ...commit, author: this.#shown(commit.author), committer: this.#shown(commit.committer) };
  }

  #shown(person: GitPerson): BitbucketUser {
    return this.#accounts.get(keyOf(person.emailAddress ?? '')) ?? person;
  }

  async #ask(scan: Scan, repository: BitbucketRepository, commit: LoggedCommit['commit']): Promise<void> {
    const shown = await firstCommits(scan, repository, commit.id);
    this.learn(shown);
    const same = shown.find(({ id }) => id === commit.id);
    // By what git says of it: Bitbucket may show another address than that of the commit.
    this.#remember(commit.author.emailAddress ?? '', same?.author ?? commit.author);
    this.#remember(commit.committer.emailAddress ?? '', same?.committer ?? commit.committer);
  }

  #remember(emailAddress: string, user: BitbucketUser): void {
    const isAccount = user.id != null || user.slug != null;
    const key = keyOf(emailAddress);
    if (this.#accounts.size >= maxRemembered && !this.#accounts.has(key)) {
      const [oldest] = this.#accounts.keys();
      if (oldest !== undefined) this.#accounts.delete(oldest);
    }
    this.#accounts.set(key, isAccount ? user : null);
  }
}

function keyOf(emailAddress: string): string {
  return emailAddress.toLowerCase();
}

/** A commit that Bitbucket has lost meanwhile tells nothing. */
async function firstCommits(
  scan: Scan,
  repository: BitbucketRepository,
  until: string,
): Promise<readonly BitbucketCommit[]> {
  try {
    for await (const page of scan.bitbucket.commits(repositoryPath(repository), { until })) return page.values;
  } catch (error) {
    if (!(error instanceof SatelliteError) || error.code !== 'BITBUCKET_NO_SUCH_COMMIT') throw error;
  }
  return [];
}
