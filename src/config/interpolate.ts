/**
 * References to the environment inside text: `${NAME}`, `${NAME:-default}` (also when it is empty), `${NAME:?message}`;
 * `$${` is a plain `${`. What comes out is text and never read as YAML again.
 */
export type Interpolated =
  | { readonly text: string; readonly filled: boolean }
  | { readonly problem: string; readonly expected: string };

const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;

export function interpolate(text: string, env: NodeJS.ProcessEnv): Interpolated {
  let filled = false;
  let failure: { problem: string; expected: string } | undefined;
  const result = text.replace(REFERENCE, (whole, inside: string | undefined, end: string | undefined) => {
    if (whole === '$${') return '${';
    filled = true;
    const outcome = end === '' ? NOT_CLOSED : lookUp(inside ?? '', env);
    if (typeof outcome === 'string') return outcome;
    failure ??= outcome;
    return '';
  });
  return failure ?? { text: result, filled };
}

const ESCAPE = 'or $${ for a plain ${';
const FORMS = `\${NAME}, \${NAME:-default} or \${NAME:?message}, ${ESCAPE}`;
const NOT_CLOSED = { problem: `a \${ without its }`, expected: FORMS };

function lookUp(inside: string, env: NodeJS.ProcessEnv): string | { problem: string; expected: string } {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:-|:\?)([\s\S]*))?$/.exec(inside);
  const name = match?.[1];
  if (!match || name === undefined)
    return { problem: `this \${…} is not a reference to the environment`, expected: FORMS };
  const [, , operator, rest = ''] = match;
  if (rest.includes('${')) return { problem: `a \${…} inside another`, expected: 'a default without references' };
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (operator === ':-') return value || rest;
  if (operator === ':?' && !value) {
    const state = value === '' ? 'is empty' : 'is not set';
    return { problem: `${named(name)} ${state}${rest.trim() && `: ${rest.trim()}`}`, expected: setting(name) };
  }
  return value ?? { problem: `${named(name)} is not set`, expected: setting(name) };
}

/** Only what is written like the name of a variable is repeated: `pass${word}` may be a piece of a password. */
function named(name: string): string {
  return /^[A-Z][A-Z0-9_]*$/.test(name) ? `the environment variable ${name}` : 'the environment variable named here';
}

function setting(name: string): string {
  const shown = /^[A-Z][A-Z0-9_]*$/.test(name) ? name : 'NAME';
  return `the variable in the environment of the satellite, \${${shown}:-default}, ${ESCAPE}`;
}
