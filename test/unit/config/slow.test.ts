import { expect, test } from '@jest/globals';
import { outcomeOf } from './corpus.ts';

/** Far above what they take, so that a busy machine does not fail the test; what it guards against takes half a minute. */
const HANG_MS = 5_000;
const MANY = 100_000;

const SATELLITE = 'satellite:\n  tenant: acme\n  api_key: first-key-1\n  url: https://app.harness.io/gratis/sei/api\n';
const INTEGRATION =
  "integrations:\n  - id: '1'\n    application: bitbucket_server\n    url: https://bitbucket.example.com\n    username: reader\n    api_key: first-key-1\n";
const FILE = SATELLITE + INTEGRATION;

const withUrl = (url: string) => FILE.replace('https://bitbucket.example.com', url);
const withTenant = (tenant: string) => FILE.replace('acme', tenant);

test.each([
  [
    'unknown keys',
    SATELLITE + Array.from({ length: 5_000 }, (_, index) => `  colour_${index}: x\n`).join('') + INTEGRATION,
  ],
  ['names of repositories', `${FILE}    metadata:\n      repos:\n${'        - ledger\n'.repeat(15_000)}`],
  ['names in one line', `${FILE}    metadata: {repos: "${'ledger,'.repeat(50_000)}"}`],
  [
    'integrations with mistakes',
    SATELLITE +
      INTEGRATION.replace("'1'", '[]').replace(
        /(integrations:\n)([\s\S]*)/,
        (_all, head, item) => head + item.repeat(1_500),
      ),
  ],
  ['the same key', 'a: 1\n'.repeat(9_000)],
  [
    'references to references',
    `a: &a [x, x]\n${Array.from({ length: 60 }, (_, index) => `k${index}: &${'b'.repeat(index + 1)} [*${index === 0 ? 'a' : 'b'.repeat(index)}, *${index === 0 ? 'a' : 'b'.repeat(index)}]\n`).join('')}`,
  ],
  ['brackets', `a: ${'['.repeat(MANY)}`],
  ['dashes', '- '.repeat(MANY)],
  ['question marks', '? '.repeat(MANY)],
  ['anchors', `a: ${'&a '.repeat(MANY)}x`],
  ['tags', `a: ${'!a '.repeat(MANY)}x`],
  ['backslashes', `a: "${'\\'.repeat(MANY)}`],
  ['single quotes', `a: ${"'".repeat(MANY + 1)}`],
  ['spaces in a line that cannot be read', `a: x${' '.repeat(MANY)}y: z: q`],
  ['spaces in a value', withTenant(`"${' '.repeat(MANY)}x"`)],
  ['empty lines', `${'\n'.repeat(MANY)}x`],
  ['empty lines in a secret', FILE.replace('api_key: first-key-1', `api_key: |\n    x${'\n'.repeat(MANY)}    y`)],
  ['escaped line ends in a secret', FILE.replace('api_key: first-key-1', `api_key: "${'\\n'.repeat(MANY)}y"`)],
  ['openings of references', withTenant(`"${'${A:-'.repeat(MANY)}"`)],
  ['references', withTenant(`"${`\${A:-x}`.repeat(20_000)}"`)],
  ['colons in a url', withUrl(`"https://${':'.repeat(MANY)}"`)],
  ['slashes in a url', withUrl(`https://b.example.com/${'a/'.repeat(MANY)}?x`)],
  ['dashes in a url', withUrl(`${'a-'.repeat(MANY)}!`)],
  ['at signs in a url', withUrl(`"https://${'@'.repeat(MANY)}"`)],
  ['colons in a host', FILE.replace('integrations', `  proxy: {host: "${':'.repeat(MANY)}!"}\nintegrations`)],
  ['fields of a schedule', FILE.replace('integrations', `  schedule: "${'* '.repeat(MANY)}"\nintegrations`)],
])('too many %s are answered at once', async (_name, text) => {
  const started = performance.now();
  await outcomeOf(text);
  expect(performance.now() - started).toBeLessThan(HANG_MS);
});
