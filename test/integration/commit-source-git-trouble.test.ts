import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { gitEnvironment } from '../simulators/git/git.ts';
import { type SyntheticRepository, writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { integrationId, setUp, temporaryFolder, wholeHistory } from './support/main-job.ts';

const commits = 120;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let made: SyntheticRepository;
beforeAll(async () => {
  folder = await temporaryFolder();
  made = await writeSyntheticRepository(join(folder.path, 'made.git'), {
    seed: 9,
    commits,
    files: 20,
    mergeEvery: 6,
    startMs: Date.UTC(2025, 0, 1),
    intervalMs: 3_600_000,
    authors: 3,
  });
});
afterAll(() => folder.remove());

type World = Awaited<ReturnType<typeof setUp>>;

async function withWorld(options: Parameters<typeof setUp>[1], work: (world: World) => Promise<void>, slugs = ['one']) {
  const repositories = slugs.map((slug) => ({ projectKey: 'PAY', slug, gitDir: made.gitDir }));
  const metadata = { ...wholeHistory, fetch_prs: false, fetch_tags: false, commit_source: 'git', ...options?.metadata };
  const world = await setUp(repositories, { ...options, metadata });
  try {
    await work(world);
    expect(world.sei.violations).toEqual([]);
    expect(world.sei.jobs().flatMap(({ failures }) => failures)).toEqual([]);
  } finally {
    await world.close();
  }
}

/** A job over everything, and how many commits came of it. */
async function scan(world: World, window: object = {}): Promise<number> {
  const job = world.sei.addJob({ integrationId, to: Date.now(), ...window });
  expect(await world.runOnce()).toBe(0);
  return world.sei.ingested(job).commits.length;
}

function warnings(world: World): unknown[] {
  return world.logged.filter(({ level }) => level === 'warn').map(({ fields }) => (fields as { code?: string }).code);
}

const clonesOf = (world: World) => join(world.folder.path, 'data', 'clones');

function filesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function cloneIn(world: World): string {
  const [server = ''] = readdirSync(clonesOf(world));
  const [name = ''] = readdirSync(join(clonesOf(world), server)).filter((each) => each.endsWith('.git'));
  return join(clonesOf(world), server, name);
}

test('no credential is in argv, in the environment or on disk of a git, and none in the log', async () => {
  const secrets = ['a password with', Buffer.from('satellite:a password with').toString('base64').slice(0, 20)];
  const seen: string[] = [];
  await withWorld({}, async (world) => {
    const look = async () => {
      for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        try {
          const argv = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
          if (!/git/.test(argv.split('\0')[0] ?? '') || !argv.includes(world.folder.path)) {
            if (!argv.includes('127.0.0.1')) continue;
          }
          seen.push(argv, readFileSync(`/proc/${pid}/environ`, 'latin1'));
        } catch {
          // It has ended.
        }
      }
    };
    world.bitbucket.fault({ match: 'git-upload-pack', meanwhile: look });
    expect(await scan(world)).toBe(commits);
    expect(seen.some((text) => text.includes('clone'))).toBe(true);
    expect(seen.some((text) => text.includes('GIT_TERMINAL_PROMPT=0'))).toBe(true);
    expect(seen.some((text) => text.includes(world.bitbucket.url))).toBe(false);
    const onDisk = filesBelow(join(world.folder.path, 'data')).map((file) => readFileSync(file, 'latin1'));
    expect(onDisk.length).toBeGreaterThan(5);
    for (const text of [...seen, ...onDisk, JSON.stringify(world.logged)]) {
      for (const secret of secrets) expect(text).not.toContain(secret);
    }
    const hooks = filesBelow(clonesOf(world)).filter((file) => file.includes('/hooks/'));
    expect(hooks).toEqual([]);
  });
});

test('what is kept is fetched again in part only; with keep_clones false nothing stays', async () => {
  for (const keep of [true, false]) {
    await withWorld({ metadata: { keep_clones: keep } }, async (world) => {
      expect(await scan(world)).toBe(commits);
      expect(filesBelow(clonesOf(world)).some((file) => file.endsWith('.pack'))).toBe(keep);
    });
  }
});

test('clones are removed when the source is switched back, and nothing is counted twice', async () => {
  await withWorld({}, async (world) => {
    expect(await scan(world)).toBe(commits);
    const file = join(world.folder.path, 'satellite.yml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"commit_source":"git"', '"commit_source":"rest"'));
    world.bitbucket.resetRequests();
    expect(await scan(world)).toBe(commits);
    expect(world.bitbucket.requests.count('raw-diff')).toBe(0);
    expect(filesBelow(clonesOf(world))).toEqual([]);
  });
});

test.each([
  ['401', { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' } }, 'GIT_CLONE_REFUSED'],
  ['403', { status: 403 }, 'GIT_CLONE_REFUSED'],
  ['404', { status: 404 }, 'GIT_CLONE_REFUSED'],
  ['an answer that is not git', { status: 200, body: '<html>log in</html>' }, 'GIT_CLONE_FAILED'],
  ['500', { status: 500 }, 'GIT_CLONE_FAILED'],
])('where cloning is refused with %s, REST has the same, after one warning', async (_name, answer, code) => {
  await withWorld({}, async (world) => {
    world.bitbucket.fault({ match: /^git-/, ...answer });
    expect(await scan(world)).toBe(commits);
    expect(warnings(world)).toEqual([code]);
    expect(world.bitbucket.requests.count('git-info-refs')).toBeLessThanOrEqual(code === 'GIT_CLONE_REFUSED' ? 1 : 3);
    expect(world.bitbucket.requests.count('raw-diff')).toBe(commits);
    expect(filesBelow(clonesOf(world))).toEqual([]);
  });
});

test('a credential that is refused for git is not tried again, whatever the repository', async () => {
  const slugs = ['one', 'two', 'three'];
  await withWorld(
    {},
    async (world) => {
      world.bitbucket.fault({ match: /^git-/, status: 401 });
      expect(await scan(world)).toBe(commits * slugs.length);
      expect(warnings(world)).toEqual(slugs.map(() => 'GIT_CLONE_REFUSED'));
      // Those that were under way when the first was refused.
      expect(world.bitbucket.requests.count('git-info-refs')).toBeLessThanOrEqual(2);
    },
    slugs,
  );
});

test('an answer that breaks off leaves nothing behind, and REST has the same', async () => {
  await withWorld({}, async (world) => {
    world.bitbucket.fault({ match: 'git-upload-pack', skip: 1, reset: 'in-body' });
    expect(await scan(world)).toBe(commits);
    expect(warnings(world)).toEqual(['GIT_CLONE_FAILED']);
    expect(filesBelow(clonesOf(world))).toEqual([]);
  });
});

test('being throttled is waited for, not given up', async () => {
  await withWorld({}, async (world) => {
    world.bitbucket.fault({ match: /^git-/, status: 429, headers: { 'Retry-After': '1' }, times: 2 });
    expect(await scan(world)).toBe(commits);
    expect(warnings(world)).toEqual(['BITBUCKET_THROTTLED', 'BITBUCKET_THROTTLED']);
    expect(world.bitbucket.requests.count('raw-diff')).toBe(0);
  });
});

test('more than max_in_flight is never asked at a time, git included', async () => {
  const slugs = ['one', 'two', 'three', 'four'];
  await withWorld(
    { bitbucket: { latencyMs: 20 } },
    async (world) => {
      expect(await scan(world)).toBe(commits * slugs.length);
      expect(world.bitbucket.requests.maxInFlight).toBeLessThanOrEqual(4);
    },
    slugs,
  );
});

test('a server that offers ssh alone is read by REST', async () => {
  await withWorld({}, async (world) => {
    world.bitbucket.fault({
      match: 'repos',
      rewrite: (text) =>
        text.replaceAll('"name":"http"', '"name":"x"').replaceAll(/http:[^"]*\/scm\//g, 'ssh://git@host:7999/'),
    });
    expect(await scan(world)).toBe(commits);
    expect(warnings(world)).toEqual(['GIT_NOT_OFFERED']);
    expect(world.bitbucket.requests.count('git-info-refs')).toBe(0);
  });
});

test('a link to another host does not take the credentials there', async () => {
  await withWorld({}, async (world) => {
    world.bitbucket.fault({
      match: 'repos',
      rewrite: (text) => text.replaceAll(/http:\/\/[^"/]*\/scm\//g, 'http://someone@192.0.2.1:9/scm/'),
    });
    expect(await scan(world)).toBe(commits);
    expect(world.bitbucket.requests.count('git-info-refs')).toBe(1);
    expect(warnings(world)).toEqual([]);
  });
});

test('a damaged clone is removed and made again; what an ended fetch has left is cleared away', async () => {
  await withWorld({}, async (world) => {
    const to = Date.now();
    expect(await scan(world, { to })).toBe(commits);
    const clone = cloneIn(world);
    const packs = join(clone, 'objects', 'pack');
    const left = [join(packs, 'tmp_pack_x'), join(clone, 'packed-refs.lock'), join(clone, 'shallow.lock')];
    for (const file of left) writeFileSync(file, 'left');
    execFileSync('mkdir', [`${clone}.new`]);

    // Asked for the whole window again: all of it comes from the clone that is there.
    world.bitbucket.resetRequests();
    expect(await scan(world, { to })).toBe(commits);
    expect(world.bitbucket.requests.counts['git-info-refs'] ?? 0).toBe(0);
    for (const file of [...left, `${clone}.new`]) expect(existsSync(file)).toBe(false);

    const [pack = ''] = readdirSync(packs).filter((name) => name.endsWith('.pack'));
    const path = join(packs, pack);
    execFileSync('chmod', ['u+w', path]);
    truncateSync(path, statSync(path).size >> 1);
    expect(await scan(world, { to })).toBe(commits);
    expect(warnings(world)).toEqual(['GIT_CLONE_DAMAGED']);
    expect(world.bitbucket.requests.count('git-info-refs')).toBe(1);
    expect(world.bitbucket.requests.count('raw-diff')).toBe(0);
    const fsck = ['--git-dir', cloneIn(world), 'fsck', '--no-progress'];
    expect(() => execFileSync('git', fsck, { env: gitEnvironment(), stdio: 'pipe' })).not.toThrow();

    rmSync(cloneIn(world), { recursive: true });
    expect(await scan(world, { to })).toBe(commits);
  });
});

test('a clone that does not fit is given up on the way, and not tried again', async () => {
  const large = join(folder.path, 'large.git');
  execFileSync('git', ['clone', '--quiet', '--bare', made.gitDir, large], { env: gitEnvironment() });
  const noise = execFileSync('git', ['-c', 'core.compression=0', '--git-dir', large, 'hash-object', '-w', '--stdin'], {
    input: execFileSync('head', ['-c', String(70 * 2 ** 20), '/dev/urandom'], { maxBuffer: 2 ** 27 }),
    encoding: 'utf8',
  }).trim();
  const tree = execFileSync('git', ['--git-dir', large, 'mktree'], {
    input: `100644 blob ${noise}\tnoise.bin\n`,
    encoding: 'utf8',
  }).trim();
  const who = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org'];
  const top = execFileSync('git', ['--git-dir', large, ...who, 'commit-tree', tree, '-p', 'main', '-m', 'noise'], {
    encoding: 'utf8',
  }).trim();
  execFileSync('git', ['--git-dir', large, 'update-ref', 'refs/heads/main', top]);
  const small = made;
  made = { ...made, gitDir: large };
  try {
    await withWorld({ satellite: { store: { max_bytes: 64 * 2 ** 20 } } }, async (world) => {
      const to = Date.now();
      expect(await scan(world, { to })).toBe(commits + 1);
      expect(await scan(world, { to })).toBe(commits + 1);
      expect(warnings(world)).toEqual(['GIT_CLONE_TOO_LARGE', 'GIT_CLONE_TOO_LARGE']);
      expect(world.bitbucket.requests.count('git-info-refs')).toBe(1);
      expect(filesBelow(clonesOf(world)).filter((file) => !file.endsWith('.too-large'))).toEqual([]);
    });
  } finally {
    made = small;
  }
});
