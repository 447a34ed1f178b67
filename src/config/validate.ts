import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { wordsFor } from './bad-value.ts';
import { expectedBy } from './expected.ts';
import { formats } from './formats.ts';
import { type Finding, fault } from './problem.ts';
import { configSchema, resolveSchema, type Schema } from './schema.ts';
import { entryOf, nodeAt, type Path, placeOf, type TreeNode, toPlain } from './tree.ts';

export interface Validated {
  /** Plain data with the schema's defaults filled in; to be trusted where nothing was found. */
  readonly data: unknown;
  readonly found: readonly Finding[];
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
  ajv.addVocabulary(['x-expected', 'x-otherwise']);
  for (const [name, faultOf] of Object.entries(formats)) {
    ajv.addFormat(name, { type: 'string', validate: (value: string) => faultOf(value) === undefined });
  }
  compiled = ajv.compile(configSchema());
  return compiled;
}

export function validate(root: TreeNode): Validated {
  const data = toPlain(root);
  const check = validator();
  if (check(data)) return { data, found: [] };
  return { data, found: (check.errors ?? []).flatMap((error) => findingsOf(error, root)) };
}

function findingsOf(error: ErrorObject, root: TreeNode): readonly Finding[] {
  const path = pathOf(error.instancePath);
  switch (error.keyword) {
    case 'if':
      return [];
    case 'required':
      // Of alternatives, `anyOf` itself speaks.
      return error.schemaPath.includes('/anyOf/') ? [] : [missing(root, path, [String(error.params.missingProperty)])];
    case 'dependencies':
      return [missing(root, path, [String(error.params.missingProperty)], String(error.params.property))];
    case 'anyOf':
      return [
        missing(
          root,
          path,
          (error.schema as readonly Schema[]).flatMap((alternative) => alternative.required ?? []),
        ),
      ];
    default:
      return [badValue(error, root, path)];
  }
}

/** A missing key is pointed at where its section begins; a key without a value is pointed at itself. */
function missing(root: TreeNode, path: Path, keys: readonly string[], because?: string): Finding {
  const parent = nodeAt(root, path);
  const schema = schemaAt([...path, keys[0] ?? '']);
  const empty = parent && keys.map((key) => entryOf(parent, key)).find((entry) => entry !== undefined);
  const expected = expectedBy(schema);
  if (empty) {
    const commented = empty.value.kind === 'scalar' && empty.value.commented === true;
    return fault('EMPTY_VALUE', [...path, empty.key], 'there is no value', {
      span: empty.keySpan,
      expected: commented ? `${expected}; in quotes if it begins with #` : expected,
    });
  }
  const reason = because === undefined ? '' : `: it goes with ${because}`;
  const name = keys.join(' or ');
  return fault('MISSING_KEY', [...path, keys[0] ?? ''], `missing${reason}`, {
    span: placeOf(root, path),
    expected: `${name}: ${expected}`,
  });
}

function badValue(error: ErrorObject, root: TreeNode, path: Path): Finding {
  const node = nodeAt(root, path);
  const schema = resolveSchema(error.parentSchema as Schema);
  const filled = node?.kind === 'scalar' && node.filled === true;
  const origin = filled ? ' (from the environment or a file)' : '';
  const { message, expected, suggestion } = wordsFor(error, schema, !filled);
  return fault('BAD_VALUE', path, `${message}${origin}`, { span: node ?? placeOf(root, path), expected, suggestion });
}

function schemaAt(path: Path): Schema {
  let schema = configSchema();
  for (const step of path) {
    const inside = resolveSchema(schema);
    schema = (typeof step === 'number' ? inside.items : inside.properties?.[step]) ?? {};
  }
  return resolveSchema(schema);
}

/** A JSON pointer; indexes become numbers. */
function pathOf(pointer: string): Path {
  const steps = pointer.split('/').slice(1);
  return steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step.replaceAll('~1', '/').replaceAll('~0', '~')));
}
