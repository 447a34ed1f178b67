import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { loadAll } from 'js-yaml';
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { fieldErrors, type Manifest, validate } from './kubernetes-api.ts';
import { satellite } from './program.ts';

const folder = fileURLToPath(new URL('../../../config/kubernetes', import.meta.url));
const files = readdirSync(folder).sort();
const manifests = files.flatMap((file) => loadAll(readFileSync(join(folder, file), 'utf8')) as Manifest[]);

function manifest<T = Manifest>(kind: string): T {
  const found = manifests.filter((candidate) => candidate.kind === kind);
  expect(found).toHaveLength(1);
  return found[0] as T;
}

const statefulSet = manifest<IStatefulSet>('StatefulSet');
const pod = statefulSet.spec?.template.spec;
const container = pod?.containers[0];

test('a folder that is applied as a whole has the namespace first and no rights at all', () => {
  expect(manifests.map(({ kind }) => kind)).toEqual(['Namespace', 'Secret', 'NetworkPolicy', 'StatefulSet']);
  for (const { kind, metadata } of manifests) {
    expect([kind, kind === 'Namespace' ? metadata.name : metadata.namespace]).toEqual([kind, 'satellite']);
  }
});

test.each(manifests.map((each) => [each.kind, each] as const))('%s is what the API takes', (_kind, each) => {
  expect(() => validate(each)).not.toThrow();
});

test('a wrong type is refused', () => {
  const wrong = structuredClone(statefulSet) as unknown as { spec: { replicas: string } };
  wrong.spec.replicas = 'one';
  expect(() => validate(wrong as never)).toThrow('spec/replicas must be integer');
});

test('there are no fields that the API would leave out in silence', async () => {
  expect(await fieldErrors(manifests)).toBe('');
});

test('a misspelt field is refused', async () => {
  const wrong = structuredClone(statefulSet) as never as { spec: { template: { spec: Record<string, unknown> } } };
  wrong.spec.template.spec.securityContxt = {};
  expect(await fieldErrors([wrong as never])).toContain('securityContxt');
});

test('the namespace lets restricted pods in only', () => {
  expect(manifest('Namespace').metadata).toMatchObject({
    labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
  });
});

test('the pod keeps to the restricted standard', () => {
  expect(pod).toMatchObject({
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  });
  for (const key of ['hostNetwork', 'hostPID', 'hostIPC', 'serviceAccountName', 'initContainers']) {
    expect(pod).not.toHaveProperty(key);
  }
  expect(pod?.containers).toHaveLength(1);
  expect(container?.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    privileged: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  // Any other kind of volume, above all hostPath, is a way out.
  expect(pod?.volumes?.map(({ name, ...source }) => [name, Object.keys(source)])).toEqual([['config', ['secret']]]);
});

test('it is started anew where its loop stands still, and not ready while work cannot go on', () => {
  const probe = [
    'node',
    '--max-old-space-size=32',
    '--max-semi-space-size=1',
    '/app/dist/main.js',
    'status',
    '--probe',
  ];
  expect(container?.livenessProbe?.exec?.command).toEqual(probe);
  expect(container?.readinessProbe?.exec?.command).toEqual([...probe, 'ready']);
  for (const each of [container?.livenessProbe, container?.readinessProbe]) {
    expect(each?.timeoutSeconds).toBeGreaterThanOrEqual(10);
  }
  // Both counts begin at the same moment, and two processes beside the satellite may be more than its limit.
  const meet = (one: number, other: number): number => (other === 0 ? one : meet(other, one % other));
  const [live = 0, ready = 0] = [container?.livenessProbe, container?.readinessProbe].map((it) => it?.periodSeconds);
  expect((live * ready) / meet(live, ready)).toBeGreaterThan(3_600);
});

test('one pod, one volume, 256 MiB', () => {
  expect(statefulSet.spec?.replicas).toBe(1);
  expect(container?.resources?.limits).toEqual({ memory: '256Mi' });
  expect(statefulSet.spec?.volumeClaimTemplates?.map(({ metadata }) => metadata?.name)).toEqual(['data']);
  expect(statefulSet.spec?.selector.matchLabels).toEqual(statefulSet.spec?.template.metadata?.labels);
});

test('the configuration comes from the Secret, readable by its owner, at the place where the image looks', () => {
  const secret = manifest<Manifest & { stringData: Record<string, string> }>('Secret');
  expect(pod?.volumes?.[0]?.secret).toEqual({
    secretName: secret.metadata.name,
    defaultMode: 0o400,
    items: [{ key: 'config.yml', path: 'config.yml' }],
  });
  expect(Object.keys(secret.stringData)).toEqual(['config.yml']);
  expect(container?.volumeMounts).toEqual([
    { name: 'config', mountPath: '/levelops', readOnly: true },
    { name: 'data', mountPath: '/var/lib/satellite' },
  ]);
});

test('the configuration in the Secret is valid with secrets of your own, and refused with those it comes with', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'satellite-secret-'));
  try {
    const { stringData } = manifest<Manifest & { stringData: { 'config.yml': string } }>('Secret');
    const path = join(scratch, 'config.yml');
    const text = stringData['config.yml'];
    await writeFile(path, text.replaceAll('CHANGE-ME', 'a-key-5f1c'), { mode: 0o600 });
    expect(await satellite(['validate', '--config', path])).toMatchObject({ exitCode: 0, stderr: '' });
    await writeFile(path, text);
    const { exitCode, stderr } = await satellite(['validate', '--config', path]);
    expect([exitCode, stderr.match(/a placeholder was left in/g)?.length]).toEqual([78, 2]);
  } finally {
    await rm(scratch, { recursive: true });
  }
});

test('the network policy lets nothing in, and DNS, https and Bitbucket’s port out', () => {
  const { spec } = manifest<INetworkPolicy>('NetworkPolicy');
  expect(spec?.podSelector?.matchLabels).toEqual(statefulSet.spec?.template.metadata?.labels);
  expect(spec?.policyTypes).toEqual(['Ingress', 'Egress']);
  expect(spec?.ingress).toEqual([]);
  expect(spec?.egress?.flatMap(({ ports }) => ports?.map(({ protocol, port }) => `${protocol} ${port}`))).toEqual([
    'UDP 53',
    'TCP 53',
    'TCP 443',
    'TCP 7990',
  ]);
  // A rule without a destination or without a port allows them all.
  for (const rule of spec?.egress ?? []) {
    expect(rule.to?.length).toBeGreaterThan(0);
    expect(rule.ports?.length).toBeGreaterThan(0);
  }
});
