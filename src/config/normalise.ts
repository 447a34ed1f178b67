import { coerce } from './coerce.ts';
import { canonicalKey, isOurApplication, OUR_APPLICATION, squash } from './names.ts';
import type { Problem } from './problem.ts';
import { configSchema, resolveSchema, type Schema } from './schema.ts';
import type { Entry, MapNode, Path, TreeNode } from './tree.ts';

export interface Normalised {
  readonly root: TreeNode;
  readonly problems: readonly Problem[];
}

/**
 * The tree in the spelling and the types of the schema. Keys that the schema does not know, sections and integrations
 * of other applications drop out, each with a word about it.
 */
export function normalise(root: TreeNode): Normalised {
  const problems: Problem[] = [];
  const walk = new Walk(problems);
  return { root: walk.node(renameLegacyRoot(root, problems), configSchema(), []), problems };
}

/** `levelops` is the old name of `satellite`, and counts only where that is absent. */
function renameLegacyRoot(root: TreeNode, problems: Problem[]): TreeNode {
  if (root.kind !== 'map') return root;
  const hasSatellite = root.entries.some((entry) => squash(entry.key) === 'satellite');
  const entries = root.entries.flatMap((entry): readonly Entry[] => {
    if (squash(entry.key) !== 'levelops') return [entry];
    if (!hasSatellite) return [{ ...entry, key: 'satellite' }];
    problems.push({
      severity: 'warning',
      code: 'LEGACY_SECTION_IGNORED',
      path: ['levelops'],
      message: 'ignored: it is the old name of the section satellite, which is there too',
      span: entry.keySpan,
    });
    return [];
  });
  return { ...root, entries };
}

class Walk {
  readonly #problems: Problem[];

  constructor(problems: Problem[]) {
    this.#problems = problems;
  }

  node(node: TreeNode, unresolved: Schema | undefined, path: Path): TreeNode {
    const schema = resolveSchema(unresolved);
    if (node.kind === 'map' && schema.properties) return this.#map(node, schema, path);
    if (node.kind === 'list' && schema.items?.$ref === '#/definitions/integration') {
      return {
        ...node,
        items: node.items.map((item, index) => this.#integration(item, schema.items, [...path, index])),
      };
    }
    if (node.kind === 'list' && schema.items) {
      return coerce(
        { ...node, items: node.items.map((item, index) => this.node(item, schema.items, [...path, index])) },
        schema,
      );
    }
    return coerce(node, schema);
  }

  #map(node: MapNode, schema: Schema, path: Path): MapNode {
    const entries: Entry[] = [];
    for (const entry of node.entries) {
      const key = canonicalKey(entry.key, schema);
      if (key === undefined) {
        this.#unknown(entry, schema, path);
      } else if (entries.some((other) => other.key === key)) {
        this.#warn(
          'REPEATED_KEY',
          [...path, entry.key],
          `ignored: another spelling of ${key}, which is there too`,
          entry,
        );
      } else {
        entries.push({ ...entry, key, value: this.node(entry.value, schema.properties?.[key], [...path, key]) });
      }
    }
    return { ...node, entries };
  }

  #integration(item: TreeNode, schema: Schema | undefined, path: Path): TreeNode {
    const application =
      item.kind === 'map' ? item.entries.find((entry) => squash(entry.key) === 'application') : undefined;
    if (item.kind !== 'map' || application?.value.kind !== 'scalar') return this.node(item, schema, path);
    if (isOurApplication(application.value.text)) {
      const value = { ...application.value, text: OUR_APPLICATION, value: OUR_APPLICATION };
      const entries = item.entries.map((entry) => (entry === application ? { ...entry, value } : entry));
      return this.node({ ...item, entries }, schema, path);
    }
    this.#warn('INTEGRATION_SKIPPED', path, 'skipped: this satellite reads application bitbucket_server only', {
      ...application,
      keySpan: application.value,
    });
    return { ...item, entries: [{ ...application, key: 'application' }] };
  }

  #unknown(entry: Entry, schema: Schema, path: Path): void {
    const sections = Object.keys(schema.patternProperties ?? {});
    if (sections.some((pattern) => new RegExp(pattern).test(entry.key))) {
      this.#problems.push({
        severity: 'note',
        code: 'SECTION_IGNORED',
        path: [...path, entry.key],
        message: 'ignored: a section of another application',
        span: entry.keySpan,
      });
      return;
    }
    this.#warn('UNKNOWN_KEY', [...path, entry.key], 'unknown key', entry);
  }

  #warn(code: string, path: Path, message: string, entry: Entry): void {
    this.#problems.push({ severity: 'warning', code, path, message, span: entry.keySpan });
  }
}
