import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FileChange } from '../../../src/bitbucket/file-change.ts';
import { countRawDiff } from '../../../src/bitbucket/raw-diff.ts';

/** What git prints is counted and held against what git counts itself. */

const root = mkdtempSync(join(tmpdir(), 'raw-diff-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const env = {
  PATH: process.env.PATH,
  HOME: root,
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.org',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.org',
  LC_ALL: 'C.UTF-8',
};

class Repository {
  readonly folder = mkdtempSync(join(root, 'repository-'));

  constructor() {
    this.git('init', '--quiet', '--initial-branch=main');
    this.git('config', 'core.fileMode', 'true');
  }

  git(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync('git', args, {
      cwd: this.folder,
      env,
      encoding: 'utf8',
      maxBuffer: 1e9,
    });
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  write(path: string, content: string | Buffer): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), content);
  }

  commit(): void {
    this.git('add', '--all');
    this.git('commit', '--quiet', '--allow-empty', '--message', 'x');
  }

  async counted(base: string, options: readonly string[]): Promise<readonly FileChange[]> {
    const git = spawn('git', ['diff', '--no-ext-diff', '--no-color', ...options, base, 'HEAD'], {
      cwd: this.folder,
      env,
    });
    const { files } = await countRawDiff(git.stdout);
    return sorted(files);
  }

  /** From `--numstat` and `--name-status`, which are safe to take apart with `-z`. */
  expected(base: string, options: readonly string[]): FileChange[] {
    const fieldsOf = (format: string) =>
      this.git('diff', format, '-z', ...options, base, 'HEAD')
        .split('\0')
        .slice(0, -1);
    const statuses = new Map<string, string>();
    for (const fields = fieldsOf('--name-status'); fields.length > 0; ) {
      const status = fields.shift() ?? '';
      if (/^[RC]/.test(status)) fields.shift();
      statuses.set(fields.shift() ?? '', status.slice(0, 1));
    }
    const files: FileChange[] = [];
    for (const fields = fieldsOf('--numstat'); fields.length > 0; ) {
      const [added, removed, ...path] = (fields.shift() ?? '').split('\t');
      const only = path.join('\t');
      const [source, destination] = only === '' ? [fields.shift() ?? '', fields.shift() ?? ''] : [only, only];
      const status = statuses.get(destination);
      files.push({
        sourcePath: status === 'A' ? null : source,
        destinationPath: status === 'D' ? null : destination,
        linesAdded: added === '-' ? 0 : Number(added),
        linesRemoved: removed === '-' ? 0 : Number(removed),
      });
    }
    return sorted(files);
  }
}

const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';
const key = (file: FileChange) => `${file.destinationPath ?? file.sourcePath}`;
const sorted = (files: readonly FileChange[]) => files.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));

const PREFIXES = ['--src-prefix=src://', '--dst-prefix=dst://'];
const RENAMES = ['--find-renames'];
const COPIES = ['--find-copies', '--find-copies-harder'];

describe('the diff of a repository that has everything', () => {
  let repository: Repository;
  const lines = (count: number, text = 'line') => Array.from({ length: count }, (_, at) => `${text} ${at}\n`).join('');

  beforeAll(() => {
    repository = new Repository();
    const names = [
      'plain',
      'with space',
      'x b/x',
      'a b/a b',
      'b dst:',
      'tab\there',
      'line\nfeed',
      '"quoted"',
      'back\\slash',
      'naïve',
      '日本語 🚀',
      '\x01\x7f',
    ];
    for (const name of names) repository.write(`names/${name}`, lines(20));
    repository.write('sql/schema.sql', '-- create\n-- drop\nx\n++ y\n');
    repository.write('crlf.txt', 'one\r\ntwo\r\n\r\nthree\r\n');
    repository.write('no-newline.txt', 'one\ntwo');
    repository.write('gets-newline.txt', 'one\ntwo');
    repository.write('empty-then-gone', '');
    repository.write('gone', lines(3));
    repository.write('run.sh', lines(3));
    repository.write('mode-and-text.sh', lines(3));
    repository.write('old/moved exactly', lines(30, 'exact'));
    repository.write('old/moved and changed', lines(30, 'changed'));
    repository.write('origin of a copy', lines(30, 'copied'));
    repository.write('becomes-link', lines(3));
    repository.write('bundle.min.js', `${'a'.repeat(1_000_000)}\nb\n`);
    repository.write('image.png', Buffer.from([0, 1, 2, 3]));
    repository.write('gone.png', Buffer.from([0, 1]));
    repository.write('latin1.txt', Buffer.from('caf\xe9\nna\xefve\n', 'latin1'));
    repository.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},lib`);
    repository.git('add', '--all', '--', ':!lib');
    repository.git('commit', '--quiet', '--message', 'x');

    for (const name of names) repository.write(`names/${name}`, `${lines(10)}changed\n${lines(7)}`);
    repository.write('sql/schema.sql', '-- alter\nx\n++ z\n-- ü\n');
    repository.write('crlf.txt', 'one\r\n2\r\n\r\nthree\r\nfour\r\n');
    repository.write('no-newline.txt', 'one\nzwei');
    repository.write('gets-newline.txt', 'one\ntwo\n');
    repository.write('empty-now', '');
    repository.write('new/file', lines(5));
    for (const path of ['empty-then-gone', 'gone', 'gone.png', 'becomes-link'])
      unlinkSync(join(repository.folder, path));
    chmodSync(join(repository.folder, 'run.sh'), 0o755);
    chmodSync(join(repository.folder, 'mode-and-text.sh'), 0o755);
    appendFileSync(join(repository.folder, 'mode-and-text.sh'), 'more\n');
    mkdirSync(join(repository.folder, 'new place'), { recursive: true });
    repository.git('mv', 'old/moved exactly', 'new place/moved\texactly');
    repository.git('mv', 'old/moved and changed', 'new place/moved');
    appendFileSync(join(repository.folder, 'new place/moved'), '-- more\n');
    repository.write('copy', `${lines(30, 'copied')}more\n`);
    symlinkSync('gone', join(repository.folder, 'becomes-link'));
    repository.write('bundle.min.js', `${'c'.repeat(1_000_000)}\nb\n`);
    repository.write('image.png', Buffer.from([0, 4, 2, 3]));
    repository.write('new.png', Buffer.from([0, 9]));
    repository.write('latin1.txt', Buffer.from('caf\xe9\nna\xefvet\xe9\n', 'latin1'));
    repository.git('update-index', '--cacheinfo', `160000,${'2'.repeat(40)},lib`);
    repository.git('add', '--all', '--', ':!lib');
    repository.git('commit', '--quiet', '--message', 'x');
  });

  const forms = {
    'as Bitbucket asks for it': ['-U0', ...RENAMES, ...PREFIXES],
    'with context': ['-U3', ...RENAMES, ...PREFIXES],
    'with the prefixes of git': ['-U0', ...RENAMES],
    'without prefixes': ['-U0', ...RENAMES, '--no-prefix'],
    'with copies': ['-U0', ...COPIES, ...PREFIXES],
    'without renames': ['-U0', '--no-renames', ...PREFIXES],
    'with whole blob names': ['-U0', '--full-index', ...RENAMES, ...PREFIXES],
    'with binary patches': ['-U0', '--binary', ...RENAMES, ...PREFIXES],
    'with rewrites broken up': ['-U0', '--break-rewrites', ...RENAMES, ...PREFIXES],
    'with functions as context': ['-W', '--inter-hunk-context=5', ...RENAMES, ...PREFIXES],
  };

  test.each(Object.entries(forms))('%s', async (_form, options) => {
    const counting = options.filter(
      (option) => !/^(-U|-W|--binary|--inter|--src|--dst|--no-prefix|--full)/.test(option),
    );
    for (const quotePath of ['true', 'false']) {
      repository.git('config', 'core.quotePath', quotePath);
      for (const base of ['HEAD~1', EMPTY_TREE]) {
        const expected = repository.expected(base, counting);
        expect(expected.length).toBeGreaterThan(25);
        expect(await repository.counted(base, options)).toEqual(expected);
      }
    }
  });
});

test('any two versions of a few files', async () => {
  const name = fc.constantFrom('a', 'b', 'a b', 'x b/x', 'ü', 'd/"q"', 'd/t\tab', 'd/e');
  const line = fc.constantFrom(
    '',
    '-- a',
    '++ b',
    '@@ -1 +1 @@',
    'x',
    'y',
    'z\r',
    'ü',
    'diff --git a/x b/x',
    '\\ No newline',
  );
  const content = fc.oneof(
    fc
      .tuple(fc.array(line, { maxLength: 12 }), fc.boolean())
      .map(([lines, isEnded]) => lines.join('\n') + (isEnded ? '\n' : '')),
    fc.constant('\0binary'),
  );
  const version = fc.dictionary(name, content, { maxKeys: 6, noNullPrototype: true });
  await fc.assert(
    fc.asyncProperty(version, version, fc.constantFrom('-U0', '-U3'), async (before, after, context) => {
      const repository = new Repository();
      for (const files of [before, after]) {
        repository.git('rm', '-r', '--quiet', '--force', '--ignore-unmatch', '.');
        for (const [path, text] of Object.entries(files)) repository.write(path, text);
        repository.commit();
      }
      expect(await repository.counted('HEAD~1', [context, ...COPIES, ...PREFIXES])).toEqual(
        repository.expected('HEAD~1', COPIES),
      );
    }),
    { numRuns: 60 },
  );
});
