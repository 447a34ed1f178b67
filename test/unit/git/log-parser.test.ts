import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { maxListedFiles } from '../../../src/bitbucket/file-change.ts';
import { type LoggedCommit, parseLog } from '../../../src/git/log-parser.ts';

const zero = '0'.repeat(40);

async function* inPieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    // Of memory that is used again, as a pipe's may be.
    yield Buffer.from(bytes.subarray(at, at + size));
    at += size;
  }
}

function parse(text: string, sizes = [65_536]): Promise<LoggedCommit[]> {
  return Array.fromAsync(parseLog(inPieces(Buffer.from(text), sizes)));
}

const id = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 40, maxLength: 40 });
const noNul = (text: string) => !text.includes('\0');
const path = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1 }).filter(noNul),
  // What only looks like something else.
  fc.constantFrom(':100644 100644 a b M', '1\t2\tx', zero, '\n:x', '-\t-\t', 'a\tb'),
);
const count = fc.oneof(fc.nat(), fc.constant('-' as const));
const file = fc.record({
  status: fc.constantFrom('A', 'M', 'D', 'R087'),
  path,
  to: path,
  added: count,
  removed: count,
});
const person = fc.string({ unit: 'grapheme' }).filter((text) => noNul(text) && !text.includes('\n'));
const logged = fc.record({
  id,
  parents: fc.array(id, { maxLength: 3 }),
  author: fc.tuple(person, person),
  committer: fc.tuple(person, person),
  at: fc.nat(),
  ct: fc.nat(),
  message: fc.string({ unit: 'grapheme' }).filter(noNul),
  files: fc.array(file, { maxLength: 5 }),
});
type Logged = typeof logged extends fc.Arbitrary<infer T> ? T : never;

/** As git prints it. */
function printed({ id, parents, author, committer, at, ct, message, files }: Logged): string {
  const head = [id, parents.join(' '), ...author, at, ...committer, ct, `${message}\n`].join('\0');
  const changes = files.map(({ status, path, to }) => {
    const paths = status.startsWith('R') ? [path, to] : [path];
    return [`:100644 100644 ${zero} ${zero} ${status}`, ...paths].map((text) => `${text}\0`).join('');
  });
  const counts = files.map(({ status, path, to, added, removed }) =>
    status.startsWith('R') ? `${added}\t${removed}\t\0${path}\0${to}\0` : `${added}\t${removed}\t${path}\0`,
  );
  return `${head}\0${files.length > 0 ? '\n' : ''}${changes.join('')}${counts.join('')}`;
}

test('what was printed comes back, wherever the pipe cuts it', async () => {
  const commits = fc.array(logged, { maxLength: 4 });
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(commits, sizes, async (wanted, cuts) => {
      const found = await parse(wanted.map(printed).join(''), cuts);
      expect(found.map(({ commit }) => commit.id)).toEqual(wanted.map((one) => one.id));
      for (const [index, { commit, files }] of found.entries()) {
        const { author, parents, message, ct, files: changes } = wanted[index] as Logged;
        expect(commit.author).toEqual({ name: author[0], ...(author[1] && { emailAddress: author[1] }) });
        expect(commit.parents?.map((parent) => parent.id)).toEqual(parents);
        expect(commit.committerTimestamp).toBe(ct * 1000);
        expect(commit.message).toBe(message.replace(/\n+$/, ''));
        const number = (count: number | '-') => (count === '-' ? 0 : count);
        const sum = (key: 'added' | 'removed') => changes.reduce((total, one) => total + number(one[key]), 0);
        expect(files?.files.reduce((total, one) => total + one.linesAdded, 0)).toBe(sum('added'));
        expect(files?.files.reduce((total, one) => total + one.linesRemoved, 0)).toBe(sum('removed'));
      }
    }),
  );
});

test('each kind of change has the sides that it has', async () => {
  const files = [
    { status: 'A', path: 'new', to: '', added: 3, removed: 0 },
    { status: 'M', path: 'a\tb', to: '', added: 1, removed: 2 },
    { status: 'D', path: 'gone', to: '', added: 0, removed: '-' as const },
    { status: 'R100', path: 'from', to: 'to', added: 0, removed: 0 },
  ];
  const one = { id: zero, parents: [], author: ['A', 'a@x'], committer: ['B', ''], at: 1, ct: 2, message: 'm', files };
  const [found] = await parse(printed(one as unknown as Logged));
  expect(found?.files?.files).toEqual([
    { sourcePath: null, destinationPath: 'new', linesAdded: 3, linesRemoved: 0 },
    { sourcePath: 'a\tb', destinationPath: 'a\tb', linesAdded: 1, linesRemoved: 2 },
    { sourcePath: 'gone', destinationPath: null, linesAdded: 0, linesRemoved: 0 },
    { sourcePath: 'from', destinationPath: 'to', linesAdded: 0, linesRemoved: 0 },
  ]);
  expect(found?.commit.committer).toEqual({ name: 'B' });
});

test('beyond so many files the rest is counted and not listed', async () => {
  const files = Array.from({ length: maxListedFiles + 3 }, (_, index) => {
    return { status: 'A', path: `f${index}`, to: '', added: 2, removed: 0 };
  });
  const one = { id: zero, parents: [], author: ['', ''], committer: ['', ''], at: 1, ct: 2, message: '', files };
  const [found] = await parse(printed(one as unknown as Logged));
  expect(found?.files?.files).toHaveLength(maxListedFiles);
  expect(found?.files?.omitted).toEqual({ files: 3, linesAdded: 6, linesRemoved: 0 });
});

test('a change of type has to be counted by its patch', async () => {
  const one = { id: zero, parents: [], author: ['', ''], committer: ['', ''], at: 1, ct: 2, message: '' };
  const [found] = await parse(
    printed({ ...one, files: [{ status: 'T', path: 'x', to: '', added: 1, removed: 1 }] } as unknown as Logged),
  );
  expect(found).toMatchObject({ files: undefined, needsPatch: true });
});

test.each([
  ['a text that is none', 'fatal: what is this\0'],
  ['a head that is cut', `${zero}\0${zero}\0A\0`],
  ['changes without counts', `${[zero, '', 'A', 'a', '1', 'A', 'a', '1', 'm'].join('\0')}\0\n:1 2 a b M\0x\0`],
  ['an end in the middle of a text', `${[zero, '', 'A', 'a', '1', 'A', 'a', '1', 'm'].join('\0')}\0\n:1 2 a`],
  [
    'a count that is none',
    `${[zero, '', 'A', 'a', '1', 'A', 'a', '1', 'm'].join('\0')}\0\n:1 2 a b M\0x\0many\t1\tx\0`,
  ],
])('%s is an error, never a commit with less in it', async (_name, text) => {
  await expect(parse(text)).rejects.toThrow('cannot be read');
});
