import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { interpolate } from '../../../src/config/interpolate.ts';

const ENV = { NAME: 'value', EMPTY: '', lower: 'case', REFERS: `\${NAME}` };

describe('references to the environment', () => {
  test.each([
    [`\${NAME}`, 'value'],
    [`a\${NAME}b\${NAME}`, 'avaluebvalue'],
    [`\${lower}`, 'case'],
    [`\${EMPTY}`, ''],
    [`\${EMPTY:-other}`, 'other'],
    [`\${NONE:-other: way, [x]}`, 'other: way, [x]'],
    [`\${NONE:-}`, ''],
    [`\${NAME:-other}`, 'value'],
    [`\${NAME:?must be set}`, 'value'],
    [`$\${NAME}`, `\${NAME}`],
    [`$$\${NAME}`, `$\${NAME}`],
    ['$NAME $ {NAME} $$', '$NAME $ {NAME} $$'],
    [`\${REFERS}`, `\${NAME}`],
  ])('%s', (text, expected) => expect(interpolate(text, ENV)).toMatchObject({ text: expected }));

  test.each([
    [`\${NONE}`, 'the environment variable NONE is not set'],
    [`\${NONE:?}`, 'the environment variable NONE is not set'],
    [`\${EMPTY:?from the vault}`, 'the environment variable EMPTY is empty: from the vault'],
    [`\${NAME`, `a \${ without its }`],
    [`\${constructor}`, 'the environment variable named here is not set'],
    [`\${}`, `this \${…} is not a reference to the environment`],
    [`\${NA ME}`, `this \${…} is not a reference to the environment`],
    [`\${NAME:default}`, `this \${…} is not a reference to the environment`],
    [`\${NONE:-\${NAME}}`, `a \${…} inside another`],
  ])('%s is explained', (text, problem) => expect(interpolate(text, ENV)).toMatchObject({ problem }));

  test('a piece of a password is not taken for the name of a variable and repeated', () => {
    expect(JSON.stringify(interpolate(`pass\${hunter2}`, {}))).not.toContain('hunter2');
  });

  test('text without references stays as it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!text.includes('${'));
        expect(interpolate(text, {})).toEqual({ text, filled: false });
      }),
    );
  });

  test('escaped, every text comes through', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', 'A', ':', '-') }), (text) => {
        fc.pre(!text.includes('$${'));
        expect(
          interpolate(
            text.replaceAll('${', () => '$${'),
            {},
          ),
        ).toMatchObject({ text });
      }),
    );
  });
});
