import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

interface Component {
  readonly 'bom-ref': string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}

export interface Sbom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
}

/**
 * What npm knows of a folder (CycloneDX), and the Node.js that is packed beside it. The same input gives the same text.
 * It is asked about the packed folder: with `--omit=dev` in the project's, npm leaves out what the tools need as well.
 */
export function makeSbom(options: {
  readonly folder: string;
  readonly name: string;
  readonly nodeBinary: string;
}): Sbom {
  const output = execFileSync('npm', ['sbom', '--omit=dev', '--sbom-format=cyclonedx'], {
    cwd: options.folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { serialNumber: _random, ...sbom } = JSON.parse(output);
  const { timestamp: _now, ...metadata } = sbom.metadata;
  // npm names the program after the folder it lies in.
  const component = { ...metadata.component, type: 'application', name: options.name };
  return {
    ...sbom,
    metadata: { ...metadata, component },
    components: [...sbom.components, nodeComponent(options.nodeBinary)],
  };
}

function nodeComponent(binary: string): Component {
  const version = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim().slice(1);
  return {
    'bom-ref': `node@${version}`,
    type: 'application',
    name: 'node',
    version,
    purl: `pkg:generic/node@${version}`,
    hashes: [{ alg: 'SHA-256', content: sha256(binary) }],
  };
}

export function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
