import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { errnoOf } from './errno.ts';
import { withoutLineEnd } from './line-end.ts';
import { writableByOthers } from './mode.ts';
import { pathFault } from './path-fault.ts';
import { isPlaceholderSecret } from './placeholder.ts';
import { type Finding, fault } from './problem.ts';
import { configSchema, resolveSchema, type Schema } from './schema.ts';
import { type Entry, entryOf, isEmpty, type MapNode, type Path, type TreeNode } from './tree.ts';

/** A secret is a line; whoever names a larger file has named another one. */
const MAX_BYTES = 64 * 1024;

export interface SecretFiles {
  readonly root: TreeNode;
  readonly found: readonly Finding[];
  readonly files: readonly string[];
}

export interface Surroundings {
  /** Relative names are relative to it: that of the config file, as a rule. */
  readonly folder: string;
  /** `CREDENTIALS_DIRECTORY` of systemd is looked into first. */
  readonly env: NodeJS.ProcessEnv;
}

/** For every `<key>_file` beside a secret `<key>`: the content of the file, in the place of the secret. */
export async function readSecretFiles(root: TreeNode, surroundings: Surroundings): Promise<SecretFiles> {
  const found: Finding[] = [];
  const files: string[] = [];
  const visit = async (node: TreeNode, unresolved: Schema | undefined, path: Path): Promise<TreeNode> => {
    const schema = resolveSchema(unresolved);
    if (node.kind === 'list') {
      return {
        ...node,
        items: await Promise.all(node.items.map((item, index) => visit(item, schema.items, [...path, index]))),
      };
    }
    if (node.kind !== 'map') return node;
    const entries: Entry[] = [];
    for (const entry of node.entries) {
      entries.push({ ...entry, value: await visit(entry.value, schema.properties?.[entry.key], [...path, entry.key]) });
      const secret = await secretOf(entry, node, schema, path);
      if (secret) entries.push(secret);
    }
    return { ...node, entries };
  };

  const secretOf = async (entry: Entry, parent: MapNode, schema: Schema, path: Path): Promise<Entry | undefined> => {
    const key = entry.key.replace(/_file$/, '');
    if (key === entry.key || !resolveSchema(schema.properties?.[key]).writeOnly) return undefined;
    if (entry.value.kind !== 'scalar' || typeof entry.value.value !== 'string' || isEmpty(entry.value))
      return undefined;
    const { start, end } = entry.value;
    const twin = entryOf(parent, key);
    if (twin && !isEmpty(twin.value)) {
      found.push(
        fault('SECRET_TWICE', [...path, entry.key], `${key} is there too`, {
          span: entry.keySpan,
          expected: 'one of the two',
        }),
      );
      return undefined;
    }
    const secret = (text: string, isStandIn: boolean): Entry => {
      const value = { kind: 'scalar', start, end, text, value: text, filled: true, isStandIn } as const;
      return { key, keySpan: entry.keySpan, value };
    };
    const standIn = secret('unread', true);
    // The schema's format says what is wrong with the name.
    if (pathFault(entry.value.value)) return standIn;
    const result = await readSecret(entry.value.value, path, surroundings);
    if ('path' in result) files.push(result.path);
    if ('text' in result) return secret(result.text, false);
    found.push(
      fault('SECRET_FILE', [...path, entry.key], result.problem, { span: entry.value, expected: result.expected }),
    );
    return standIn;
  };

  return { root: await visit(root, configSchema(), []), found, files };
}

type SecretRead =
  | { readonly path: string; readonly text: string }
  | { readonly path?: string; readonly problem: string; readonly expected?: string };

async function readSecret(name: string, at: Path, surroundings: Surroundings): Promise<SecretRead> {
  for (const path of placesOf(name, surroundings)) {
    try {
      const stats = await stat(path);
      // Before its size: that of a directory says nothing. Pipes and devices are what /dev/fd/3 and <(…) lead to.
      if (stats.isDirectory()) return { path, ...unreadable('EISDIR') };
      if (!stats.isFile() && !stats.isFIFO() && !stats.isCharacterDevice())
        return { path, problem: 'this is not a file', expected: 'a file with the secret in it' };
      if (stats.size > MAX_BYTES)
        return {
          path,
          problem: 'this file is too large for a secret',
          expected: 'a file with the secret and nothing else',
        };
      if (writableByOthers(stats.mode))
        return { path, problem: `others than its owner can write this file; run: chmod 600 ${path}` };
      const text = withoutLineEnd((await readFile(path, 'utf8')).replace(/^\uFEFF/, ''));
      if (isPlaceholderSecret(text, at))
        return { path, problem: 'a placeholder was left in this file', expected: 'a file with the secret in it' };
      if (text !== '') return { path, text };
      return { path, problem: 'this file is empty', expected: 'a file with the secret in it' };
    } catch (error) {
      const code = errnoOf(error);
      if (code !== 'ENOENT' && code !== 'ENOTDIR') return { path, ...unreadable(code) };
    }
  }
  // The name is not repeated: some put the secret itself there.
  const where = surroundings.env.CREDENTIALS_DIRECTORY
    ? 'in $CREDENTIALS_DIRECTORY or beside the config file'
    : 'beside the config file';
  return {
    problem: 'there is no such file',
    expected: isAbsolute(name) ? 'the path of a file with the secret in it' : `a file of that name ${where}`,
  };
}

function placesOf(name: string, { folder, env }: Surroundings): readonly string[] {
  if (isAbsolute(name)) return [name];
  const beside = join(folder, name);
  return env.CREDENTIALS_DIRECTORY ? [join(env.CREDENTIALS_DIRECTORY, name), beside] : [beside];
}

function unreadable(code: string): { readonly problem: string; readonly expected: string } {
  if (code === 'EISDIR') return { problem: 'this is a directory', expected: 'a file with the secret in it' };
  return {
    problem: `this file cannot be read (${code})`,
    expected: 'a file that the user of the satellite may read',
  };
}
