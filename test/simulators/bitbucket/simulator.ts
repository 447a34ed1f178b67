import { Accounts } from './accounts.ts';
import { Catalogue, type RefusalKind } from './catalogue.ts';
import type { FaultRule } from './faults.ts';
import { Git } from './git.ts';
import { GitRepository } from './git-repository.ts';
import { type RepositoryOptions, type SimulatorOptions, settingsOf } from './options.ts';
import { PullRequestBook } from './pull-request-book.ts';
import { PullRequestRepresentation } from './pull-request-json.ts';
import { PullRequestPlay } from './pull-request-play.ts';
import { Representation } from './representation.ts';
import type { RequestLog } from './request-log.ts';
import { SimulatorServer } from './server.ts';

export interface BitbucketSimulator extends AsyncDisposable {
  /** With the context path, without a slash at the end. */
  readonly url: string;
  readonly requests: Readonly<Omit<RequestLog, 'begin' | 'end' | 'reset'>>;
  resetRequests(): void;
  /** How many are open, whatever goes over them. */
  connections(): Promise<number>;
  /** Arms a fault; the function that comes back takes it away again. */
  fault(rule: FaultRule): () => void;
  /** The repository stays in the lists, so that a crawler runs into it, unless `listed` is false. */
  refuseRepository(key: string, slug: string, kind: RefusalKind, options?: { listed?: boolean }): () => void;
  /** The old urls answer 307 from now on; the id stays. */
  renameRepository(key: string, slug: string, newKey: string, newSlug: string): void;
  /** Resolves with its id. The name may be that of one that was deleted. */
  addRepository(repository: RepositoryOptions): Promise<number>;
  deleteRepository(key: string, slug: string): void;
  archiveRepository(key: string, slug: string, isArchived: boolean): void;
  pullRequests(key: string, slug: string): PullRequestPlay;
  close(): Promise<void>;
}

/** A Bitbucket Data Center on loopback that answers out of real git repositories. */
export async function startBitbucketSimulator(options: SimulatorOptions): Promise<BitbucketSimulator> {
  const settings = settingsOf(options);
  const accounts = new Accounts(settings.users);
  const catalogue = new Catalogue();
  const git = new Git();
  let added = 0;
  const addRepository = async (repository: RepositoryOptions) => {
    const opened = await GitRepository.open(git, repository.gitDir);
    const book = { derive: settings.derivePullRequests, firstActivityId: ++added * 1_000_000 };
    return catalogue.add(repository, opened, new PullRequestBook(opened, accounts, book)).id;
  };
  for (const repository of settings.repositories) await addRepository(repository);
  const representation = new Representation(settings.version, accounts);
  const pullRequestRepresentation = new PullRequestRepresentation(representation, catalogue, settings.version);
  const world = { settings, accounts, catalogue, representation, pullRequestRepresentation };
  const server = new SimulatorServer(world);
  const url = await server.listen();
  representation.baseUrl = url;
  return {
    url,
    requests: server.requests,
    resetRequests: () => server.requests.reset(),
    connections: () => server.connections(),
    fault: (rule) => server.faults.add(rule),
    refuseRepository: (key, slug, kind, { listed = true } = {}) => catalogue.refuse(key, slug, kind, listed),
    renameRepository: (key, slug, newKey, newSlug) => catalogue.rename(key, slug, newKey, newSlug),
    addRepository,
    deleteRepository: (key, slug) => catalogue.delete(key, slug),
    archiveRepository: (key, slug, isArchived) => {
      catalogue.find(key, slug).isArchived = isArchived;
    },
    pullRequests: (key, slug) => new PullRequestPlay(catalogue.find(key, slug), world),
    close: () => server.close(),
    [Symbol.asyncDispose]: () => server.close(),
  };
}
