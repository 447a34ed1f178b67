import { minimal } from './config-file.ts';

export interface SpecialFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Files that no editor and no git would keep as they are. */
export const SPECIAL_BYTES: readonly SpecialFile[] = [
  { name: 'bytes-utf16-le-with-bom', bytes: utf16(minimal(), 'le', true) },
  { name: 'bytes-utf16-be-with-bom', bytes: utf16(minimal(), 'be', true) },
  { name: 'bytes-utf16-le-without-bom', bytes: utf16(minimal(), 'le', false) },
  { name: 'bytes-latin-1', bytes: Buffer.from(minimal('metadata: {repos: "Zürich"}'), 'latin1') },
  {
    name: 'bytes-latin-1-in-a-secret',
    bytes: Buffer.from(minimal('', 'proxy: {host: p, username: u, password: Grün-Kohl-7}'), 'latin1'),
  },
  { name: 'bytes-null-in-the-middle', bytes: Buffer.from(minimal().replace('reader', 'rea\0der')) },
  { name: 'bytes-gzip', bytes: Buffer.from('1f8b0800000000000003ab5600ff7f', 'hex') },
  { name: 'bytes-escape-sequence-of-a-terminal', bytes: Buffer.from(minimal().replace('reader', 'rea\u001b[31mder')) },
  { name: 'bytes-form-feed', bytes: Buffer.from(minimal().replace('integrations', '\fintegrations')) },
  { name: 'bytes-windows-line-ends', bytes: Buffer.from(minimal('', 'schedule: never').replaceAll('\n', '\r\n')) },
  { name: 'bytes-old-mac-line-ends', bytes: Buffer.from(minimal('', 'schedule: never').replaceAll('\n', '\r')) },
  {
    name: 'bytes-mark-before-a-mistake',
    bytes: Buffer.from(`\uFEFFsatelite: {}\n${minimal()}`.replace('satellite:', 'sat:')),
  },
  { name: 'bytes-nothing', bytes: new Uint8Array() },
  { name: 'bytes-only-a-mark', bytes: Buffer.from('\uFEFF') },
  { name: 'bytes-only-line-ends', bytes: Buffer.from('\r\n\r\n') },
];

function utf16(text: string, order: 'le' | 'be', mark: boolean): Uint8Array {
  const bytes = Buffer.from(mark ? `\uFEFF${text}` : text, 'utf16le');
  return order === 'le' ? bytes : bytes.swap16();
}
