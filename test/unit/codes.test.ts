import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Written like codes, but something else: variables of the environment, and words of Node, SQLite and Bitbucket. */
const otherWords =
  /^(?:ERR_|.*_PROXY$|BUILD_VERSION$|CONFIG_FILE$|CREDENTIALS_DIRECTORY$|ENCRYPTION_PASSWORD$|(?:HARNESS|BITBUCKET)_API_KEY$|NODE_EXTRA_CA_CERTS$|STATE_DIRECTORY$)/;
const legs = ['BITBUCKET', 'SEI', 'PROXY'];

/** Each code that an error or a log line may carry, as it stands in the source. */
function codesOfSource(): Set<string> {
  const codes = new Set<string>();
  const files = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name.endsWith('.ts'),
  );
  for (const { parentPath, name } of files) {
    const path = join(parentPath, name);
    const text = readFileSync(path, 'utf8')
      .replace(/^\s*(?:\/\/|\/?\*).*$/gm, '')
      .replace(/\bcase '[A-Z_]+'/g, '');
    if (name === 'tls-fault.ts') {
      const faults = /export type TlsFault =([^;]*);/.exec(text)?.[1] ?? '';
      for (const [, fault] of faults.matchAll(/'([A-Z_]+)'/g)) for (const leg of legs) codes.add(`${leg}_TLS_${fault}`);
      continue;
    }
    // What is wrong in a file has names of its own; the error that tells all of them is one of CONFIG_.
    const isOfConfig = path.includes('/src/config/');
    for (const [, code = ''] of text.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|INTERNAL|SCHEDULER)'/g)) {
      if (!otherWords.test(code) && (!isOfConfig || code.startsWith('CONFIG_'))) codes.add(code);
    }
    for (const [, suffix = ''] of text.matchAll(/`\$\{(?:prefix|leg)\}(_[A-Z_]+)`/g)) {
      for (const leg of legs) codes.add(`${leg}${suffix}`);
    }
    if (/`\$\{leg\}_\$\{timedOut \? 'TIMEOUT' : 'UNREACHABLE'\}`/.test(text)) {
      for (const leg of legs) codes.add(`${leg}_TIMEOUT`).add(`${leg}_UNREACHABLE`);
    }
    // A template of another form has to be taught to this test.
    const unknown = [...text.matchAll(/code: `([^`]*)`/g)].map(([, template]) => template);
    const known = /^\$\{(?:prefix|leg)\}_[A-Z_]+$|^\$\{peer\.prefix\}_TLS_\$\{fault\}$|^\$\{leg\}_\$\{timedOut /;
    expect(unknown.filter((template) => !known.test(template ?? ''))).toEqual([]);
  }
  return codes;
}

/** The first column; `*_X` is X of each leg, and `_Y` behind it the same with another end. */
function codesOfReadme(): string[] {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const table = readme
    .slice(readme.indexOf('\n## Troubleshooting'))
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  return table.flatMap((line) => {
    const cells = line.split('|').slice(1, -1);
    // A code says nothing without what it means and what to do.
    expect(cells).toHaveLength(3);
    for (const cell of cells) expect(cell.trim()).not.toBe('');
    let stem = '';
    return [...(cells[0] ?? '').matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => {
      if (code.startsWith('*')) stem = /^\*((?:_TLS_CLIENT_CERTIFICATE|_TLS)?)_/.exec(code)?.[1] ?? '';
      const end = code.startsWith('*') ? code.slice(1) : `${stem}${code}`;
      return code.startsWith('*') || code.startsWith('_') ? legs.map((leg) => `${leg}${end}`) : [code];
    });
  });
}

test('the troubleshooting table has each code once, and no other', () => {
  const told = codesOfReadme();
  expect(told.length).toBeGreaterThan(100);
  expect(told.filter((code, at) => told.indexOf(code) !== at)).toEqual([]);
  expect(told.toSorted()).toEqual([...codesOfSource()].toSorted());
});
