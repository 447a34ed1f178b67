import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { formats } from './formats.ts';
import type { Problem } from './problem.ts';
import { configSchema, resolveSchema, type Schema } from './schema.ts';
import { entryOf, nodeAt, type Path, type TreeNode, toPlain } from './tree.ts';

export interface Validated {
  /** Plain data with the schema's defaults filled in; to be trusted only without problems. */
  readonly data: unknown;
  readonly problems: readonly Problem[];
}

let compiled: ValidateFunction | undefined;

/** Compiled once: the schema is part of the program. */
function validator(): ValidateFunction {
  if (compiled) return compiled;
  const ajv = new Ajv({
    allErrors: true,
    useDefaults: true,
    allowUnionTypes: true,
    strictRequired: false,
    verbose: true,
  });
  ajv.addVocabulary(['x-expected']);
  for (const [name, explain] of Object.entries(formats)) {
    ajv.addFormat(name, { type: 'string', validate: (value: string) => explain(value) === undefined });
  }
  compiled = ajv.compile(configSchema());
  return compiled;
}

export function validate(root: TreeNode): Validated {
  const data = toPlain(root);
  const check = validator();
  if (check(data)) return { data, problems: [] };
  const problems = (check.errors ?? []).flatMap((error) => problemsOf(error, root));
  return { data, problems };
}

function problemsOf(error: ErrorObject, root: TreeNode): readonly Problem[] {
  const path = pathOf(error.instancePath);
  if (error.keyword === 'if' || /\/anyOf\/\d+\/required$/.test(error.schemaPath)) return [];
  if (error.keyword === 'required') return [missing(root, path, [String(error.params.missingProperty)])];
  if (error.keyword === 'dependencies') return [missing(root, path, [String(error.params.missingProperty)])];
  if (error.keyword === 'anyOf') {
    const alternatives = (error.schema as Schema[]).flatMap((alternative) => alternative.required ?? []);
    return [missing(root, path, alternatives)];
  }
  const schema = resolveSchema(error.parentSchema as Schema);
  return [
    {
      severity: 'error',
      code: 'BAD_VALUE',
      path,
      message:
        error.keyword === 'format'
          ? (formats[String(error.params.format)]?.(String(error.data)) ?? 'bad value')
          : 'bad value',
      expected: expectedBy(schema, error),
      ...spanOf(nodeAt(root, path)),
    },
  ];
}

/** A missing key is pointed at where its section begins; a key without a value is pointed at itself. */
function missing(root: TreeNode, path: Path, keys: readonly string[]): Problem {
  const parent = nodeAt(root, path);
  const empty = parent && keys.map((key) => entryOf(parent, key)).find((entry) => entry !== undefined);
  const last = path.at(-1);
  const own = typeof last === 'string' ? entryOf(nodeAt(root, path.slice(0, -1)) ?? root, last)?.keySpan : undefined;
  return {
    severity: 'error',
    code: empty ? 'EMPTY_VALUE' : 'MISSING_KEY',
    path: [...path, empty?.key ?? keys[0] ?? ''],
    message: empty ? 'has no value' : keys.length > 1 ? `missing: ${keys.join(' or ')}` : 'missing',
    ...spanOf(empty?.keySpan ?? own ?? parent),
  };
}

function expectedBy(schema: Schema, error: ErrorObject): string {
  return schema['x-expected'] ?? error.message ?? '';
}

function spanOf(span: { start: number; end: number } | undefined): Pick<Problem, 'span'> {
  return span ? { span: { start: span.start, end: span.end } } : {};
}

/** A JSON pointer; indexes become numbers. */
function pathOf(pointer: string): Path {
  const steps = pointer.split('/').slice(1);
  return steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step.replaceAll('~1', '/').replaceAll('~0', '~')));
}
