#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// The rest of the program does not even load on an older Node, so this comes before anything of it is imported.
const oldestNode = 24;

if (Number(process.versions.node.split('.')[0]) < oldestNode) {
  process.stderr.write(
    `satellite needs Node.js ${oldestNode} or newer, this is ${process.version}. Start it with npx in the project's folder, or install a newer Node.js.\n`,
  );
  process.exitCode = 78;
} else {
  // V8 lets the space for new objects grow to 128 MiB on a large machine, half of what this process may use in all.
  // Everything streams through it, so it is left at its first size.
  setFlagsFromString('--semi-space-growth-factor=1');
  // And it would let garbage pile up as long as the machine has memory: collect when a third has been added.
  setFlagsFromString('--heap-growing-percent=30');
  // What the store holds (names, addresses, titles) is nobody else's to read.
  process.umask(0o077);
  if (process.argv[2] === 'status') {
    process.exitCode = await (await import('./commands/status.ts')).statusMain(process.argv);
  } else {
    // Before the rest is loaded, which takes some tenths of a second.
    const stopped =
      process.argv[2] === 'run' ? (await import('./commands/stop-signal.ts')).stopSignalFromStart() : undefined;
    process.exitCode = await (await import('./commands/program.ts')).main(process.argv, stopped);
  }
}
