import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Config } from './config.ts';
import { errnoOf } from './errno.ts';
import { type Finding, fault } from './problem.ts';
import type { RawConfig, RawTls } from './raw.ts';
import type { Path } from './tree.ts';

/** A file that TLS is going to need, where it is named, and what has to be in it. */
interface PemFile {
  readonly name: string;
  readonly at: Path;
  readonly holds: 'CERTIFICATE' | 'PRIVATE KEY';
}

/** Looked at when the program starts rather than when the first connection fails. */
export async function checkPemFiles(
  raw: Partial<RawConfig>,
  folder: string,
  sound: (path: Path) => boolean,
): Promise<readonly Finding[]> {
  const owners: readonly (readonly [Path, RawTls | undefined])[] = [
    [['satellite', 'tls'], raw.satellite?.tls],
    ...(Array.isArray(raw.integrations) ? raw.integrations : []).map(
      (integration, index) => [['integrations', index, 'tls'], integration?.tls] as const,
    ),
  ];
  const files = owners.filter(([at, tls]) => tls && sound(at)).flatMap(([at, tls]) => namedIn(tls ?? {}, at));
  const found = await Promise.all(files.map((file) => checkPemFile(file, resolve(folder, file.name))));
  return found.filter((finding) => finding !== undefined);
}

/** Absolute paths of those that a configuration names. */
export function pemFilesOf({ satellite, integrations }: Config): readonly string[] {
  return [satellite, ...integrations]
    .flatMap(({ tls }) => [tls.caFile, tls.certFile, tls.keyFile])
    .filter((path) => path !== undefined);
}

function namedIn(tls: RawTls, at: Path): readonly PemFile[] {
  const file = (key: keyof RawTls, holds: PemFile['holds']): readonly PemFile[] => {
    const name = tls[key];
    return name === undefined ? [] : [{ name, at: [...at, key], holds }];
  };
  return [...file('ca_file', 'CERTIFICATE'), ...file('cert_file', 'CERTIFICATE'), ...file('key_file', 'PRIVATE KEY')];
}

async function checkPemFile({ at, holds }: PemFile, path: string): Promise<Finding | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'latin1');
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT')
      return fault('PEM_FILE', at, 'there is no such file', {
        expected: 'the path of a PEM file, absolute or relative to the config file',
      });
    return fault('PEM_FILE', at, `this file cannot be read (${code})`, {
      expected: 'a file that the user of the satellite may read',
    });
  }
  if (text.includes('-----BEGIN') && text.includes(`${holds}-----`)) return undefined;
  const what = holds === 'CERTIFICATE' ? 'certificate' : 'private key';
  const message = text.includes('-----BEGIN') ? `there is no ${what} in this file` : 'this is not a PEM file';
  return fault('PEM_FILE', at, message, {
    expected: `a file with a "BEGIN ${holds}" line; openssl converts other forms`,
  });
}
