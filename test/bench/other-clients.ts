import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { BareLoopOrder } from './bare-loop.ts';
import { credentials } from './bitbucket.ts';
import type { VendorResult, VendorScan } from './vendor-plan.ts';

const authorization = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;

/** What the satellite is held against; each in a process of its own. */
export async function runBareLoop(order: Omit<BareLoopOrder, 'authorization'>): Promise<void> {
  const child = begin('./bare-loop.ts', { ...order, authorization });
  await succeeded(child);
}

export async function runVendorPlan(scan: Omit<VendorScan, 'authorization'>): Promise<VendorResult> {
  const child = begin('./vendor-plan.ts', { ...scan, authorization });
  const results: VendorResult[] = [];
  child.on('message', (result: VendorResult) => results.push(result));
  await succeeded(child);
  const [result] = results;
  if (result === undefined) throw new Error('the baseline says nothing');
  return result;
}

function begin(program: string, order: object): ChildProcess {
  const child = fork(new URL(program, import.meta.url), { serialization: 'advanced' });
  child.send(order);
  return child;
}

async function succeeded(child: ChildProcess): Promise<void> {
  const [exitCode] = await once(child, 'close');
  if (exitCode !== 0) throw new Error(`${child.spawnargs.at(-1)} ended with ${exitCode}`);
}
