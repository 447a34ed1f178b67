import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cut } from '../../../src/ops/cut.ts';
import { Redactor } from '../../../src/ops/redact.ts';
import { spellingsOf } from '../../support/spellings.ts';

const anySecret = fc.oneof(
  fc.string({ minLength: 4, maxLength: 30, unit: 'grapheme' }),
  fc.string({ minLength: 4, maxLength: 30, unit: fc.constantFrom(...'%25\\&;+amp#ux0 "\'/n\n$^*.[](){}|?é€🔑') }),
  fc.base64String({ minLength: 4, maxLength: 40 }),
);
const around = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'%25\\&;+amp#ux ') }));

function redactorOf(...secrets: string[]): Redactor {
  const redactor = new Redactor();
  redactor.learn(secrets);
  return redactor;
}

/** Where the mask and what was left beside it look like a secret, nothing is shown by it. */
const hasMask = (secret: string) => secret.includes('*');

describe('Redactor', () => {
  test('no spelling of a secret is left, whatever stands around it', () => {
    fc.assert(
      fc.property(fc.array(anySecret, { minLength: 1, maxLength: 4 }), around, around, (secrets, before, after) => {
        const redactor = redactorOf(...secrets);
        for (const secret of secrets) {
          for (const [name, spelling] of spellingsOf(secret)) {
            const redacted = redactor.text(`${before}${spelling}${after}`);
            if (redacted.includes(spelling)) throw new Error(`${name}: ${JSON.stringify(redacted)}`);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('nor in pieces of any size, and the pieces come to the same as the whole', () => {
    fc.assert(
      fc.property(
        fc.array(
          anySecret.filter((secret) => !hasMask(secret)),
          { minLength: 1, maxLength: 3 },
        ),
        around,
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (secrets, between, sizes) => {
          const redactor = redactorOf(...secrets);
          const text = secrets.flatMap((secret) => [...spellingsOf(secret).values()]).join(between);
          const stream = redactor.stream();
          let out = '';
          for (let at = 0; at < text.length; ) {
            const size = sizes.next().value as number;
            out += stream.write(text.slice(at, at + size));
            at += size;
          }
          out += stream.end();
          expect(out).toBe(redactor.text(text));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a text without a secret is left as it is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uuid(), { minLength: 1, maxLength: 5 }),
        fc.string({ unit: 'binary' }),
        (secrets, text) => {
          expect(redactorOf(...secrets).text(text)).toBe(text);
          const stream = redactorOf(...secrets).stream();
          expect(stream.write(text) + stream.end()).toBe(text);
        },
      ),
    );
    const line = '{"timestamp":"2026-11-23T09:42:04.000Z","level":"info","message":"Scan begins","repositories":12}\n';
    expect(redactorOf('a', 'in', 'age').text(line)).toBe(line);
  });

  test('what is left of a secret where a text was cut', () => {
    fc.assert(
      fc.property(
        anySecret.filter((secret) => !hasMask(secret)),
        fc.string(),
        fc.nat(),
        (secret, before, length) => {
          const kept = 4 + (length % Math.max(1, [...secret].length - 4));
          const start = [...secret].slice(0, kept).join('');
          const text = cut(`${before}${secret}`, before.length + start.length);
          if (start !== secret) expect(redactorOf(secret).text(text).endsWith(`${start}…`)).toBe(false);
        },
      ),
    );
    const redactor = redactorOf('p&ss wörd-1234');
    expect(redactor.text('it was p&ss wör…, said the server')).toBe('it was ***…, said the server');
    expect(redactor.text('it was p%26ss%20w%C3…')).toBe('it was ***…');
    expect(redactor.text('it was p%26ss%20w%C…')).toBe('it was ***…');
    expect(redactor.text('the p&s…')).toBe('the p&s…');
  });

  test('one that begins with another, and the longer one first', () => {
    expect(redactorOf('canary', 'canary-and-more').text('canary canary-and-more canary-and-mor')).toBe(
      '*** *** ***-and-mor',
    );
    const stream = redactorOf('canary', 'canary-and-more').stream();
    expect(stream.write('canary') + stream.write('-and-more') + stream.end()).toBe('***');
  });

  test('what is learned later does not unlearn what was known', () => {
    const redactor = redactorOf('old-secret');
    redactor.learn(['new-secret']);
    expect(redactor.text('old-secret new-secret')).toBe('*** ***');
  });

  test('a log line stays JSON, even where a secret is a number or a word of JSON', () => {
    const redactor = redactorOf('12345', 'true', '"},"');
    const line = { code: 'X', count: 1234567, full: true, nested: { list: ['a"},"b', null] } };
    const redacted = JSON.stringify(redactor.value(line));
    expect(redacted).toBe('{"code":"X","count":"***67","full":"***","nested":{"list":["a***b",null]}}');
    expect(redactor.text(redacted)).toBe(redacted);
  });

  test('a run of backslashes or entities is no reason to be slow', () => {
    const secret = `${'\\'.repeat(30)}&&&&&&&&&%%%%%%%%%x`;
    const redactor = redactorOf(secret);
    const startedMs = performance.now();
    redactor.text('\\'.repeat(2_000));
    redactor.text('&amp;'.repeat(1_000));
    redactor.text(`%${'25'.repeat(2_000)}`);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });
});
