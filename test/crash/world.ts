import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RepositoryOptions, SimulatorOptions } from '../simulators/bitbucket/options.ts';
import { type BitbucketSimulator, startBitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { satelliteYml } from '../simulators/satellite-process.ts';
import { type SeiSimulator, type SeiSimulatorOptions, startSeiSimulator } from '../simulators/sei/simulator.ts';
import { copyHistory } from './history.ts';
import { People } from './people.ts';
import { Satellite, type SatelliteOptions } from './satellite.ts';

export const integrationId = '4711';
export const username = 'satellite';
export const password = 'crash-password';

/** Reaches before any commit of a test. */
const wholeHistory = { backfill_days: 36_500 };

export interface WorldOptions {
  readonly seed: number;
  /** Copied, so that worlds do not see each other's commits. */
  readonly repositories: readonly RepositoryOptions[];
  /** Whether people's deeds are dated now; otherwise with dates that are the same in every run. */
  readonly now?: boolean;
  readonly metadata?: object;
  readonly satellite?: object;
  readonly rateLimit?: object;
  readonly bitbucket?: Partial<SimulatorOptions>;
  readonly sei?: SeiSimulatorOptions;
  /** Where the satellite is told to find the two, given where they are. */
  readonly detour?: (urls: { bitbucket: string; sei: string }) => Promise<{ bitbucket: string; sei: string }>;
}

/** Both simulators, the repositories behind them, the people at work there, and a folder for a satellite. */
export class World implements AsyncDisposable {
  readonly bitbucket: BitbucketSimulator;
  readonly sei: SeiSimulator;
  readonly repositories: readonly RepositoryOptions[];
  readonly people: People;
  readonly folder: string;
  /** As the satellite knows it. */
  readonly bitbucketUrl: string;

  private constructor(parts: Pick<World, 'bitbucket' | 'sei' | 'repositories' | 'people' | 'folder' | 'bitbucketUrl'>) {
    this.bitbucket = parts.bitbucket;
    this.sei = parts.sei;
    this.repositories = parts.repositories;
    this.people = parts.people;
    this.folder = parts.folder;
    this.bitbucketUrl = parts.bitbucketUrl;
  }

  static async create(options: WorldOptions): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'satellite-crash-'));
    const repositories = await copyHistory(options.repositories, join(folder, 'repositories'));
    const bitbucket = await startBitbucketSimulator({
      repositories,
      credentials: [{ kind: 'basic', username, password }],
      ...options.bitbucket,
    });
    const sei = await startSeiSimulator(options.sei);
    const people = new People(bitbucket, repositories, { seed: options.seed, now: options.now ?? false });
    await people.begin();
    const direct = { bitbucket: bitbucket.url, sei: sei.url };
    const urls = (await options.detour?.(direct)) ?? direct;
    const yml = satelliteYml({
      sei: { ...sei, url: urls.sei },
      bitbucket: { url: urls.bitbucket, username, password },
      integrationId,
      metadata: { ...wholeHistory, ...options.metadata },
      ...(options.rateLimit === undefined ? {} : { rateLimit: options.rateLimit }),
      satellite: {
        data_dir: join(folder, 'data'),
        listen: 'off',
        scheduling_interval: 1,
        push: { max_page_bytes: 65_536 },
        log: { format: 'json', level: 'debug' },
        ...options.satellite,
      },
    });
    await writeFile(join(folder, 'satellite.yml'), yml, { mode: 0o600 });
    return new World({ bitbucket, sei, repositories, people, folder, bitbucketUrl: urls.bitbucket });
  }

  start(options: SatelliteOptions = {}): Satellite {
    return new Satellite(this.folder, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bitbucket.close();
    await this.sei.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
