import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LoadedConfig, loadConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problem.ts';

/*
 * A file of the corpus says in its first comment lines what it needs around it:
 *   # given env NAME=value          a variable of the environment (\n in the value is a line end)
 *   # given file PATH=content       a file beside it (or anywhere below), likewise
 *   # given mode 0666               its own mode; 0600 without this line
 *   # given mode PATH 0666          that of a file beside it
 *   # given strict                  as `validate --strict` reads it
 */
export interface Surroundings {
  readonly env: Record<string, string>;
  readonly files: ReadonlyMap<string, string>;
  readonly modes: ReadonlyMap<string, number>;
  readonly strict: boolean;
}

/** The words that every secret of the corpus is made of, and nothing else. */
export const CANARIES = /walrus|ballast|lemur|sextant|gecko|bobbin|marmot|trellis|octopus|inkwell|key-of-acme/i;

export const CORPUS = fileURLToPath(new URL('../../corpus/', import.meta.url));

export async function corpusFiles(folder: 'accepted' | 'rejected'): Promise<readonly string[]> {
  return (await readdir(join(CORPUS, folder))).filter((name) => name.endsWith('.yml')).sort();
}

export function surroundingsOf(text: string): Surroundings {
  const given = [...text.matchAll(/^# given (.*?)\r?$/gm)].map((match) => match[1] ?? '');
  const pairs = (word: string, separator: string) =>
    given
      .filter((line) => line.startsWith(`${word} `) && line.slice(word.length + 1).includes(separator))
      .map((line) => {
        const [name = '', ...value] = line.slice(word.length + 1).split(separator);
        return [name, value.join(separator).replaceAll('\\n', '\n')] as const;
      });
  const ownMode = given.map((line) => /^mode (0\d+)$/.exec(line)?.[1]).find((mode) => mode !== undefined);
  return {
    env: Object.fromEntries(pairs('env', '=')),
    files: new Map(pairs('file', '=')),
    modes: new Map([
      ...pairs('mode', ' ').map(([path, mode]) => [path, Number.parseInt(mode, 8)] as const),
      ...(ownMode === undefined ? [] : [['satellite.yml', Number.parseInt(ownMode, 8)] as const]),
    ]),
    strict: given.includes('strict'),
  };
}

export type Outcome = { readonly loaded: LoadedConfig } | { readonly refused: ConfigError };

/** Reads the content as a satellite.yml in a folder of its own; the folder is called `<dir>` in what is given. */
export async function outcomeOf(
  content: string | Uint8Array,
  given: Surroundings = surroundingsOf(Buffer.from(content).toString()),
): Promise<{ outcome: Outcome; dir: string }> {
  const { env, files, modes, strict } = given;
  const dir = await mkdtemp(join(tmpdir(), 'satellite-corpus-'));
  try {
    for (const [name, body] of files) {
      await mkdir(dirname(join(dir, name)), { recursive: true });
      await writeFile(join(dir, name), body, { mode: 0o600 });
    }
    const path = join(dir, 'satellite.yml');
    await writeFile(path, content, { mode: 0o600 });
    for (const [name, mode] of modes) await chmod(join(dir, name), mode);
    const here = (value: string) => value.replaceAll('<dir>', dir);
    const filled = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, here(value)]));
    return { outcome: await outcome(path, dir, { STATE_DIRECTORY: '/state', ...filled }, strict), dir };
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function outcome(path: string, cwd: string, env: NodeJS.ProcessEnv, strict: boolean): Promise<Outcome> {
  try {
    return { loaded: await loadConfig({ path, cwd, env, strict }) };
  } catch (error) {
    if (error instanceof ConfigError) return { refused: error };
    throw error;
  }
}

/** Compares with what is recorded, or records it with UPDATE_GOLDEN=1. */
export async function recorded(name: string, actual: string): Promise<string> {
  const path = join(CORPUS, name);
  if (process.env.UPDATE_GOLDEN === '1') await writeFile(path, actual);
  return readFile(path, 'utf8');
}
