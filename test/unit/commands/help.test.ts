import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const golden = new URL('../../golden/help/', import.meta.url);

/** UPDATE_GOLDEN=1 records what is shown now. */
const isRecording = process.env.UPDATE_GOLDEN === '1';

async function helpOf(command: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const args = command === 'satellite' ? [] : command.split(' ');
  const { stdout, stderr } = await run(process.execPath, [program, ...args, '--help'], {
    env: { PATH: process.env.PATH, ...env },
  });
  expect(stderr).toBe('');
  return stdout;
}

const commands = [
  'satellite',
  'init',
  'check',
  'run',
  'scan',
  'status',
  'validate',
  'schema',
  'store',
  'store verify',
  'store repair',
  'support-bundle',
  'encrypt',
  'decrypt',
];

describe.each(commands)('%s --help', (command) => {
  const file = new URL(`${command.replace(' ', '-')}.txt`, golden);

  let shown = '';
  beforeAll(async () => {
    shown = await helpOf(command);
  });

  test('says what it said', async () => {
    if (isRecording) {
      await mkdir(golden, { recursive: true });
      await writeFile(file, shown);
    }
    expect(shown).toBe(await readFile(file, 'utf8'));
  });

  test('has examples and exit codes, and no line that is wider than the help', () => {
    expect(shown).toMatch(/\nExamples:\n {2}\$ satellite /);
    expect(shown).toMatch(/\nExit codes:\n {2}0 +\S/);
    expect(shown.split('\n').filter((line) => line.length > 120)).toEqual([]);
    expect(shown).not.toMatch(/[^\S\n]\n/);
  });
});

test('the width of the terminal does not matter', async () => {
  const narrow = await helpOf('init', { COLUMNS: '40' });
  expect(await helpOf('init', { COLUMNS: '300', FORCE_COLOR: '1' })).toBe(narrow);
});

test('every command has its help recorded, and every recording a command', async () => {
  const shown = await helpOf('satellite');
  const listed = [...(/\nCommands:\n([\s\S]*?)\n\n/.exec(shown)?.[1] ?? '').matchAll(/^ {2}([\w-]+)/gm)].map(
    ([, name]) => name,
  );
  expect(commands.filter((name) => !name.includes(' ')).slice(1)).toEqual(listed.filter((name) => name !== 'help'));
  expect((await readdir(golden)).sort()).toEqual(commands.map((name) => `${name.replace(' ', '-')}.txt`).sort());
});

test('every variable that the program reads for itself is in the help', async () => {
  const shown = await helpOf('satellite');
  for (const name of [
    'CONFIG_FILE',
    'ENCRYPTION_PASSWORD',
    'CREDENTIALS_DIRECTORY',
    'STATE_DIRECTORY',
    'BUILD_VERSION',
  ]) {
    expect(shown).toContain(name);
  }
});

test('schema prints the schema', async () => {
  const { stdout } = await run(process.execPath, [program, 'schema']);
  expect(stdout).toBe(await readFile(new URL('../../../schemas/satellite.schema.json', import.meta.url), 'utf8'));
});

test('a mistyped command is told with the nearest one', async () => {
  const failed = await run(process.execPath, [program, 'chekc']).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 64, stderr: expect.stringContaining('Did you mean check?') });
});
