import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../../src/clock.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { Daemon } from '../../../src/daemon.ts';
import type { Logger } from '../../../src/ops/logger.ts';
import { Redactor } from '../../../src/ops/redact.ts';
import type { RepositoryOptions, SimulatorOptions } from '../../simulators/bitbucket/options.ts';
import { startBitbucketSimulator } from '../../simulators/bitbucket/simulator.ts';
import type { CommitTruth, FileTruth } from '../../simulators/git/truth.ts';
import { satelliteFolder } from '../../simulators/satellite-process.ts';
import { type SeiSimulatorOptions, startSeiSimulator } from '../../simulators/sei/simulator.ts';

export const integrationId = '4711';
export const username = 'satellite';
export const password = 'a password with: colon, ü and "quotes"';

/** Reaches before any commit of a test. */
export const wholeHistory = { backfill_days: 365 * 60 };

/** Both simulators, a folder with a configuration, and daemons on it as if they were one process after the other. */
export async function setUp(
  repositories: readonly RepositoryOptions[],
  options: {
    metadata?: object;
    satellite?: object;
    bitbucket?: Partial<SimulatorOptions>;
    sei?: SeiSimulatorOptions;
    clock?: Clock;
  } = {},
) {
  const bitbucket = await startBitbucketSimulator({
    repositories,
    credentials: [{ kind: 'basic', username, password }],
    ...options.bitbucket,
  });
  const sei = await startSeiSimulator(options.sei);
  const folder = await satelliteFolder({
    sei,
    bitbucket: { url: bitbucket.url, username, password },
    integrationId,
    metadata: options.metadata ?? wholeHistory,
    satellite: options.satellite ?? {},
  });
  const logged: { level: string; message: string; fields: object | undefined }[] = [];
  const log = (level: string) => (message: string, fields?: object) => logged.push({ level, message, fields });
  const logger: Logger = { error: log('error'), warn: log('warn'), info: log('info'), debug: log('debug') };

  const newDaemon = async () => {
    const { config } = await loadConfig({ path: join(folder.path, 'satellite.yml'), env: {}, cwd: folder.path });
    const clock = options.clock ?? systemClock;
    return new Daemon({ config, clock, logger, redactor: new Redactor(), version: 'test' });
  };
  return {
    bitbucket,
    sei,
    folder,
    logged,
    newDaemon,
    /** Does the jobs there are; returns how many failed. */
    async runOnce(): Promise<number> {
      const daemon = await newDaemon();
      try {
        return await daemon.once();
      } finally {
        await daemon.stop();
      }
    },
    async close(): Promise<void> {
      await bitbucket.close();
      await sei.close();
      await folder.remove();
    },
  };
}

export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'satellite-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A commit of git's in the terms of SEI's records. */
export function expectedCommit({ id, parents, author, committer, message, files }: CommitTruth) {
  const changes = files.map(expectedFile).sort(byText);
  return {
    id,
    parents,
    author: [author.name, author.email],
    committer: [committer.name, committer.email],
    authorTimestamp: author.seconds * 1000,
    committerTimestamp: committer.seconds * 1000,
    message: message.trimEnd(),
    additions: files.reduce((sum, { added }) => sum + added, 0),
    deletions: files.reduce((sum, { removed }) => sum + removed, 0),
    files: changes,
  };
}

function expectedFile({ sourcePath, destinationPath, added, removed }: FileTruth) {
  const path = destinationPath ?? sourcePath ?? '';
  return { fileName: path.split('/').at(-1), source: sourcePath, destination: destinationPath, added, removed };
}

/** A commit record as it was ingested, in the same terms. */
export function ingestedCommit(commit: Record<string, unknown>) {
  const { id, parents, author, committer, authorTimestamp, committerTimestamp, message, additions, deletions, files } =
    commit as {
      parents: { id: string }[];
      author: Person;
      committer: Person;
      message?: string;
      files: { fileName: string; source: Side; destination: Side; linesAdded: number; linesRemoved: number }[];
    } & Record<'id' | 'authorTimestamp' | 'committerTimestamp' | 'additions' | 'deletions', unknown>;
  return {
    id,
    parents: parents.map((parent) => parent.id),
    author: [nameOf(author), author.emailAddress ?? ''],
    committer: [nameOf(committer), committer.emailAddress ?? ''],
    authorTimestamp,
    committerTimestamp,
    message: (message ?? '').trimEnd(),
    additions,
    deletions,
    files: files
      .map(({ fileName, source, destination, linesAdded, linesRemoved }) => ({
        fileName,
        source: pathOf(source),
        destination: pathOf(destination),
        added: linesAdded,
        removed: linesRemoved,
      }))
      .sort(byText),
  };
}

interface Person {
  readonly name?: string;
  readonly displayName?: string;
  readonly emailAddress?: string;
}

/** With an account `name` is the login. */
function nameOf({ name, displayName }: Person): string {
  return displayName ?? name ?? '';
}

type Side = Readonly<Record<string, unknown>>;

function pathOf(side: Side): string | null {
  return Object.hasOwn(side, 'toString') ? String(Object.getOwnPropertyDescriptor(side, 'toString')?.value) : null;
}

function byText(a: object, b: object): number {
  const [textA, textB] = [JSON.stringify(a), JSON.stringify(b)];
  return textA < textB ? -1 : textA > textB ? 1 : 0;
}
