import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { Namespace } from 'kubernetes-models/v1/Namespace';
import { Secret } from 'kubernetes-models/v1/Secret';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

const projectFolder = fileURLToPath(new URL('../../..', import.meta.url));

const models = {
  'v1 Namespace': { from: 'v1', name: 'Namespace', model: Namespace },
  'v1 Secret': { from: 'v1', name: 'Secret', model: Secret },
  'apps/v1 StatefulSet': { from: 'apps/v1', name: 'StatefulSet', model: StatefulSet },
  'networking.k8s.io/v1 NetworkPolicy': { from: 'networking.k8s.io/v1', name: 'NetworkPolicy', model: NetworkPolicy },
} as const;

function modelOf({ apiVersion, kind }: Manifest) {
  const model = models[`${apiVersion} ${kind}` as keyof typeof models];
  if (!model) throw new Error(`no schema for ${apiVersion} ${kind}`);
  return model;
}

/** Against the API's JSON schemas: types, required fields, formats. They let unknown fields pass. */
export function validate(manifest: Manifest): void {
  const { model: Model } = modelOf(manifest);
  new Model(manifest as never).validate();
}

/** Against the API's types, made from the same schemas: the compiler refuses fields that there are not. */
export async function fieldErrors(manifests: readonly Manifest[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'satellite-kubernetes-'));
  try {
    const lines = manifests.flatMap((manifest, index) => {
      const { from, name } = modelOf(manifest);
      const type = `import('kubernetes-models/${from}/${name}').I${name}`;
      return [`export const manifest${index}: ${type} = ${JSON.stringify(manifest)};`];
    });
    await writeFile(join(folder, 'manifests.mts'), lines.join('\n'));
    const paths = { 'kubernetes-models/*': [join(projectFolder, 'node_modules', 'kubernetes-models', '*.d.ts')] };
    const compilerOptions = { noEmit: true, strict: true, skipLibCheck: true, module: 'nodenext', types: [], paths };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['manifests.mts'] }));
    const tsc = join(projectFolder, 'node_modules', '.bin', 'tsc');
    execFileSync(tsc, ['-p', folder], { encoding: 'utf8', stdio: 'pipe' });
    return '';
  } catch (error) {
    return (error as { stdout?: string }).stdout || String(error);
  } finally {
    await rm(folder, { recursive: true });
  }
}
