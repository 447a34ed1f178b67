/**
 * The ways in which a server, a library or a log may write down a secret that it was given, by name. Made by other means
 * than the redactor's own, so that one can be held against the other.
 */
export function spellingsOf(secret: string): ReadonlyMap<string, string> {
  const bytes = Buffer.from(secret);
  const points = [...secret].map((character) => character.codePointAt(0) ?? 0);
  const component = encodeURIComponent(secret);
  const form = new URLSearchParams({ '': secret }).toString().slice(1);
  const json = JSON.stringify(secret).slice(1, -1);
  const lower = (text: string) => text.replace(/%[0-9A-F]{2}/g, (encoded) => encoded.toLowerCase());
  const units = Array.from({ length: secret.length }, (_, index) => secret.charCodeAt(index));
  const unicode = (unit: number) => `\\u${unit.toString(16).padStart(4, '0')}`;
  const html = secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const quoted = html.replaceAll('"', '&quot;').replaceAll("'", '&#39;');
  const base64 = (prefix: string, suffix = '') => Buffer.from(`${prefix}${secret}${suffix}`).toString('base64');
  const spellings = new Map([
    ['raw', secret],
    ['component', component],
    ['component, lower case', lower(component)],
    ['component, twice', encodeURIComponent(component)],
    ['uri', encodeURI(secret)],
    ['form', form],
    ['form, lower case', lower(form)],
    ['every byte', [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')],
    ['json', json],
    ['json, slashes', json.replaceAll('/', '\\/')],
    [
      'json, ascii',
      units
        .map((unit) =>
          unit > 126 || unit < 32 ? unicode(unit) : JSON.stringify(String.fromCharCode(unit)).slice(1, -1),
        )
        .join(''),
    ],
    ['json, every unit', units.map(unicode).join('')],
    ['json in json', JSON.stringify(json).slice(1, -1)],
    ['html', html],
    ['html, quotes', quoted],
    ['html, decimal', points.map((point) => `&#${point};`).join('')],
    ['html, hexadecimal', points.map((point) => `&#x${point.toString(16)};`).join('')],
    ['html, twice', quoted.replaceAll('&', '&amp;')],
    ['hex', bytes.toString('hex')],
    ['HEX', bytes.toString('hex').toUpperCase()],
    ['base64', base64('')],
    ['base64, no padding', base64('').replace(/=+$/, '')],
    ['base64url', bytes.toString('base64url')],
    ['login', base64('satellite:')],
    ['login, in json', JSON.stringify(base64('satellite:')).replaceAll('/', '\\/').slice(1, -1)],
    ['login, component', encodeURIComponent(base64('satellite:'))],
  ]);
  for (const prefix of ['', 'a', 'ab', 'abc']) {
    // The letters at the ends are made of other bytes as well: those in between are the secret's own.
    spellings.set(`base64 behind ${prefix.length}`, own(base64(prefix, 'xyz'), prefix.length, bytes.length));
  }
  return spellings;
}

function own(text: string, before: number, length: number): string {
  return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + length) * 8) / 6));
}
