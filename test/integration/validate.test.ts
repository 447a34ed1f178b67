import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { run } from './deployment/program.ts';
import { CertificateWorkshop } from './network/certificates.ts';
import { describeWith, openssl } from './network/tool.ts';

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

describeWith(openssl)('validate', () => {
  test('does not call valid what run refuses at its start: certificates, a key of another one, proxies', async () => {
    await using workshop = await CertificateWorkshop.open();
    const [one, other] = [await workshop.selfSigned(), await workshop.selfSigned()];
    const broken = join(workshop.folder, 'broken.pem');
    await writeFile(broken, '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n');
    let count = 0;
    const ended = async (command: string, tls: object, env: NodeJS.ProcessEnv = {}) => {
      const login = { username: 'sei-reader', api_key: 'a-key-5f1c' };
      const yml = {
        satellite: { tenant: 'acme', api_key: 'a-key-7d2e', url: 'https://sei.example.com', data_dir: 'data', tls },
        integrations: [{ id: '1', application: 'bitbucket_server', url: 'https://bitbucket.example.com', ...login }],
      };
      const path = join(workshop.folder, `${count++}.yml`);
      await writeFile(path, JSON.stringify(yml), { mode: 0o600 });
      const { exitCode, stdout, stderr } = await run(process.execPath, [program, command, '--config', path], env);
      return { exitCode, isValid: stdout.includes('is valid'), code: /\b[A-Z]+_[A-Z_]+_INVALID\b/.exec(stderr)?.[0] };
    };
    const wrong: readonly (readonly [string, object, NodeJS.ProcessEnv?])[] = [
      ['TLS_CA_FILE_INVALID', { ca_file: broken }],
      ['TLS_CLIENT_CERTIFICATE_INVALID', { cert_file: one.certFile, key_file: other.keyFile }],
      ['PROXY_URL_INVALID', {}, { HTTPS_PROXY: 'nonsense://' }],
    ];
    for (const [code, tls, env] of wrong) {
      const both = await Promise.all(['run', 'validate'].map((command) => ended(command, tls, env)));
      const refused = { exitCode: 78, isValid: false, code };
      expect(both).toEqual([refused, refused]);
    }
    const right = { ca_file: one.certFile, cert_file: one.certFile, key_file: one.keyFile };
    expect(await ended('validate', right)).toEqual({ exitCode: 0, isValid: true, code: undefined });
  });
});
