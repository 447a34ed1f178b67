import type { BitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { password, username } from './world.ts';

/** A pull request in the terms in which both Bitbucket and SEI know it. */
export interface PullRequestFacts {
  readonly id: number;
  readonly state: string;
  readonly title: string | undefined;
  readonly updatedDate: number;
  readonly from: string | undefined;
  readonly reviewers: readonly string[];
  readonly activities: readonly string[];
  readonly commits: readonly string[];
}

interface Login {
  readonly username: string;
  readonly password: string;
}

interface Person {
  readonly user: { readonly name?: string };
  readonly status?: string;
}

interface Activity {
  readonly id: number;
  readonly action: string;
  readonly createdDate: number;
  readonly user: { readonly name?: string };
}

/** What Bitbucket and SEI both say of a pull request, under the same names. */
interface PullRequestJson {
  readonly id: number;
  readonly state: string;
  readonly title?: string;
  readonly updatedDate: number;
  readonly fromRef: { readonly latestCommit?: string };
  readonly reviewers?: readonly Person[];
}

/**
 * Where the target stands is left out: SEI takes a pull request again only when its date is newer, and a push to the
 * target leaves that where it is.
 */
export function pullRequestFacts(
  { id, state, title, updatedDate, fromRef, reviewers = [] }: PullRequestJson,
  activities: readonly Activity[],
  commits: readonly { readonly id: string }[],
): PullRequestFacts {
  return {
    id,
    state,
    title,
    updatedDate,
    from: fromRef.latestCommit,
    reviewers: reviewers.map(({ user, status }) => `${user.name} ${status}`).sort(),
    activities: activities.map((one) => `${one.id} ${one.action} ${one.createdDate} ${one.user.name}`).sort(),
    commits: commits.map((commit) => commit.id).sort(),
  };
}

/** Every pull request of a repository, asked of Bitbucket itself. */
export async function truePullRequests(
  bitbucket: BitbucketSimulator,
  { projectKey, slug }: { readonly projectKey: string; readonly slug: string },
  as: Login = { username, password },
): Promise<PullRequestFacts[]> {
  const base = `${bitbucket.url}/rest/api/latest/projects/${projectKey}/repos/${slug}/pull-requests`;
  const found = await list<PullRequestJson>(`${base}?state=ALL&withProperties=true`, as);
  const facts = found.map(async (pullRequest) => {
    const [activities, commits] = await Promise.all([
      list<Activity>(`${base}/${pullRequest.id}/activities?`, as),
      list<{ id: string }>(`${base}/${pullRequest.id}/commits?`, as),
    ]);
    const updatedDate =
      pullRequest.state === 'OPEN'
        ? Math.max(pullRequest.updatedDate, ...activities.map(({ createdDate }) => createdDate))
        : pullRequest.updatedDate;
    return pullRequestFacts({ ...pullRequest, updatedDate }, activities, commits);
  });
  return Promise.all(facts);
}

async function list<T>(url: string, as: Login): Promise<T[]> {
  const headers = { authorization: `Basic ${Buffer.from(`${as.username}:${as.password}`).toString('base64')}` };
  const items: T[] = [];
  for (let start: number | undefined = 0; start !== undefined; ) {
    const response = await fetch(`${url}&start=${start}&limit=500`, { headers });
    if (!response.ok) throw new Error(`${url} answers ${response.status}`);
    const page = (await response.json()) as { values: T[]; isLastPage: boolean; nextPageStart?: number };
    items.push(...page.values);
    start = page.isLastPage ? undefined : page.nextPageStart;
  }
  return items;
}
