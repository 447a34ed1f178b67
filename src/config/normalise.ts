import { coerce } from './coerce.ts';
import { readLeaf } from './leaf.ts';
import { canonicalKey, isOurApplication, mistypedApplication, OUR_APPLICATION, squash } from './names.ts';
import { type Finding, fault, finding } from './problem.ts';
import { configSchema, resolveSchema, type Schema } from './schema.ts';
import type { Discretion } from './secrecy.ts';
import type { Entry, MapNode, Path, TreeNode } from './tree.ts';
import { guessKey } from './unknown-key.ts';

export interface Normalised {
  readonly root: TreeNode;
  readonly found: readonly Finding[];
}

/**
 * The tree in the spelling and the types of the schema, with the environment filled in. Unknown keys, sections and
 * integrations of other applications drop out, each with a word about it.
 */
export function normalise(root: TreeNode, env: NodeJS.ProcessEnv, discretion: Discretion): Normalised {
  const walk = new Walk(env, discretion);
  const normalised = walk.node(walk.renameLegacyRoot(root), configSchema(), []);
  return { root: normalised, found: walk.found };
}

class Walk {
  readonly found: Finding[] = [];
  readonly #env: NodeJS.ProcessEnv;
  readonly #discretion: Discretion;

  constructor(env: NodeJS.ProcessEnv, discretion: Discretion) {
    this.#env = env;
    this.#discretion = discretion;
  }

  /** `levelops` is the old name of `satellite`, and counts only where that is absent. */
  renameLegacyRoot(root: TreeNode): TreeNode {
    if (root.kind !== 'map') return root;
    const hasSatellite = root.entries.some((entry) => squash(entry.key) === 'satellite');
    const entries = root.entries.flatMap((entry): readonly Entry[] => {
      if (squash(entry.key) !== 'levelops') return [entry];
      if (!hasSatellite) return [{ ...entry, key: 'satellite' }];
      this.#warn(
        'LEGACY_SECTION_IGNORED',
        ['levelops'],
        'ignored: the old name of the section satellite, which is there too',
        entry,
      );
      return [];
    });
    return { ...root, entries };
  }

  node(node: TreeNode, unresolved: Schema | undefined, path: Path): TreeNode {
    const schema = resolveSchema(unresolved);
    if (node.kind === 'map') return schema.properties ? this.#map(node, schema, path) : node;
    if (node.kind === 'list') {
      const ofIntegrations = schema.items?.$ref === '#/definitions/integration';
      const items = node.items.map((item, index) => {
        return ofIntegrations
          ? this.#integration(item, schema.items, [...path, index])
          : this.node(item, schema.items, [...path, index]);
      });
      return coerce({ ...node, items }, schema);
    }
    const leaf = readLeaf(node, schema, path, this.#env);
    this.found.push(...leaf.found);
    return leaf.node;
  }

  #map(node: MapNode, schema: Schema, path: Path): MapNode {
    const entries: Entry[] = [];
    for (const entry of node.entries) {
      const key = canonicalKey(entry.key, schema);
      if (key === undefined) {
        this.#unknown(entry, schema, path);
      } else if (entries.some((other) => other.key === key)) {
        const message = `ignored: ${key} is there already, in another spelling`;
        this.#warn('REPEATED_KEY', [...path, entry.key], message, entry);
      } else {
        entries.push({ ...entry, key, value: this.node(entry.value, schema.properties?.[key], [...path, key]) });
      }
    }
    return { ...node, entries };
  }

  #integration(item: TreeNode, schema: Schema | undefined, path: Path): TreeNode {
    const entry = item.kind === 'map' ? item.entries.find(({ key }) => squash(key) === 'application') : undefined;
    if (item.kind !== 'map' || entry?.value.kind !== 'scalar') return this.node(item, schema, path);
    const application = readLeaf(entry.value, {}, [...path, 'application'], this.#env);
    const value = application.node.kind === 'scalar' ? application.node : entry.value;
    if (application.found.length > 0 || isOurApplication(value.text) || value.value === null || value.text === '') {
      const ours = { ...value, ...(value.text.trim() !== '' && { text: OUR_APPLICATION, value: OUR_APPLICATION }) };
      this.found.push(...application.found);
      const entries = item.entries.map((other) => (other === entry ? { ...other, value: ours } : other));
      return this.node({ ...item, entries }, schema, path);
    }
    this.#otherApplication(value.filled ? undefined : value.text, [...path, 'application'], value);
    return { ...item, entries: [{ ...entry, key: 'application', value }] };
  }

  #otherApplication(name: string | undefined, path: Path, span: TreeNode): void {
    if (name !== undefined && mistypedApplication(name)) {
      this.found.push(
        fault('UNKNOWN_APPLICATION', path, `unknown application, did you mean ${OUR_APPLICATION}?`, { span }),
      );
      return;
    }
    const what = name === undefined ? 'another application' : this.#discretion.word(name.trim());
    const cloud = name !== undefined && /^bitbucket(?:[-_ ]?cloud)?$/i.test(name.trim());
    const message = `skipped: ${what} is not read by this satellite${cloud ? '; for a Bitbucket of your own write bitbucket_server' : ''}`;
    this.found.push(finding('warning', 'INTEGRATION_SKIPPED', path.slice(0, -1), message, { span }));
  }

  #unknown(entry: Entry, schema: Schema, path: Path): void {
    const ofOthers = Object.keys(schema.patternProperties ?? {}).some((pattern) => new RegExp(pattern).test(entry.key));
    if (ofOthers) {
      const message = 'ignored: not a section of this satellite';
      this.found.push(finding('note', 'SECTION_IGNORED', [entry.key], message, { span: entry.keySpan }));
      return;
    }
    const guess = guessKey(entry.key, schema);
    const details =
      guess === undefined ? { expected: `one of ${Object.keys(schema.properties ?? {}).join(', ')}` } : {};
    this.found.push(
      finding('warning', 'UNKNOWN_KEY', [...path, entry.key], `unknown key${guess === undefined ? '' : `, ${guess}`}`, {
        span: entry.keySpan,
        ...details,
      }),
    );
  }

  #warn(code: string, path: Path, message: string, entry: Entry): void {
    this.found.push(finding('warning', code, path, message, { span: entry.keySpan }));
  }
}
