import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ScratchRepository } from './simulators/bitbucket/scratch-repository.ts';
import { startBitbucketSimulator } from './simulators/bitbucket/simulator.ts';
import { startSeiSimulator } from './simulators/sei/simulator.ts';
import { satelliteFolder } from './simulators/satellite-process.ts';
const dir = await mkdtemp(join(tmpdir(), 'play-'));
const repo = await ScratchRepository.create(join(dir, 'a.git'));
await repo.commit(...Array.from({ length: 30 }, (_, i) => ({ branch: 'main', at: Math.floor(Date.now()/1000) - 86400 * 10 + i * 3600 * 7, files: { [`f${i}`]: 'x\n' } })));
const empty = await ScratchRepository.create(join(dir, 'e.git'));
const bb = await startBitbucketSimulator({ repositories: [
  { projectKey: 'PAY', slug: 'ledger', gitDir: repo.gitDir, projectName: 'Payments' },
  { projectKey: 'PAY', slug: 'api-gateway', gitDir: repo.gitDir },
  { projectKey: 'PAY', slug: 'empty', gitDir: empty.gitDir },
  { projectKey: 'WEB', slug: 'shop', gitDir: repo.gitDir, projectName: 'Web Shop' },
], ...(process.argv.includes('limit') ? { rateLimit: { capacity: 60, refillPerSecond: 5 } } : {}) });
const sei = await startSeiSimulator();
const folder = await satelliteFolder({ sei, bitbucket: { url: bb.url, username: 'satellite', password: process.argv.includes('wrong') ? 'nope-secret' : 'simulator' }, integrationId: '4711', metadata: process.argv.includes('bad') ? { repos: ['ledgr', 'PAY/api-*', 'PAY/nix', 'WEB'], projects: ['payment'] } : {}, satellite: { } });
const run = promisify(execFile);
for (const args of [['check'], ['check', '--json']].slice(0, process.argv.includes('json') ? 2 : 1)) {
  const { stdout, stderr, code } = await run(process.execPath, ['/work/main/src/main.ts', ...args], { cwd: folder.path }).catch((e) => e);
  console.log(stdout, stderr, code ?? 0);
}
console.log(bb.requests.list.map((r) => `${r.resource} ${r.status} ${r.path}?${r.query}`).join('\n'));
console.log(sei.violations);
await bb.close(); await sei.close(); await folder.remove();
