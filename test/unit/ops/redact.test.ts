import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isDistinct } from '../../../src/config/secrets.ts';
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
          expect(out).toBe(redactor.finished(text));
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
    const stream = redactorOf('canary-7', 'canary-7-and-more').stream();
    expect(stream.write('canary-7') + stream.write('-and-more') + stream.end()).toBe('***');
  });

  test('what is learned later does not unlearn what was known', () => {
    const redactor = redactorOf('old-secret');
    redactor.learn(['new-secret']);
    expect(redactor.text('old-secret new-secret')).toBe('*** ***');
  });

  test('of plain data only texts are masked: keys, numbers, booleans and times stay', () => {
    const redactor = redactorOf('2147', '2026', 'true', 'count', '"},"', 'null');
    const at = '2026-11-28T10:00:00.000Z';
    const line = { count: 2147483648, full: true, at, day: new Date(0), nested: { list: ['a"},"b', null, 'of 2147'] } };
    const nested = { list: ['a***b', null, 'of ***'] };
    expect(redactor.value(line)).toEqual({ count: 2147483648, full: true, at, day: new Date(0), nested });
  });

  test('a finished text keeps its numbers, times and words, and loses what it cannot have but by mistake', () => {
    const common = ['2147', '2147483648', '2026-11-28', 'true', 'satellite', 'Satellite', 'satellite_requests_total'];
    const redactor = redactorOf(...common, '127.0.0.1:8090', 's3cret-Word', 'correct horse battery staple');
    const text = `satellite_requests_total{host="127.0.0.1:8090"} 2147483648\n{"at":"2026-11-28T10:00:00Z","ready":true} Satellite`;
    expect(redactor.finished(text)).toBe(text);
    expect(redactor.finished(`${text} s3cret-Word s3cret%2DWord`)).toBe(`${text} *** ***`);
    expect(redactor.finished('correct horse battery staple')).toBe('***');
    // What a common word looks like in base64 is common nowhere.
    expect(redactor.finished(Buffer.from('user:satellite').toString('base64'))).not.toContain('c2F0ZWxsaXRl');
  });

  test('no spelling of a distinct secret is left in a finished text', () => {
    fc.assert(
      fc.property(anySecret.filter(isDistinct), around, around, (secret, before, after) => {
        for (const [name, spelling] of spellingsOf(secret)) {
          const redacted = redactorOf(secret).finished(`${before}${spelling}${after}`);
          if (redacted.includes(spelling)) throw new Error(`${name}: ${JSON.stringify(redacted)}`);
        }
      }),
      { numRuns: 200 },
    );
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
