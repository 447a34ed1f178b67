import { baseFolder } from './base-folder.ts';
import { buildConfig } from './build.ts';
import { checkIntegrations, checkSatellite } from './check.ts';
import type { Config } from './config.ts';
import { dataDirOf } from './data-dir.ts';
import { type FindOptions, findConfig } from './find.ts';
import { displayPath, formatLine, formatProblems, locate } from './message.ts';
import { normalise } from './normalise.ts';
import { parse } from './parse.ts';
import { checkPemFiles, pemFilesOf } from './pem-files.ts';
import { ConfigError, type Finding, fault, type Problem } from './problem.ts';
import type { RawConfig } from './raw.ts';
import { type ReadConfig, type ReadOptions, readableByOthersWarning, readConfig } from './read.ts';
import { readSecretFiles } from './secret-files.ts';
import { secretsIn } from './secrets.ts';
import { explainText } from './syntax.ts';
import { formatPath, type Path, placeOf, type TreeNode } from './tree.ts';
import { validate } from './validate.ts';
import { type Visibility, visibleOf } from './visible.ts';

export interface LoadOptions extends FindOptions, ReadOptions {
  /** Unknown keys are errors instead of warnings. */
  readonly strict?: boolean;
  /** Told of the secrets as soon as they are known, before anything is said about the file. */
  readonly onSecrets?: (secrets: readonly string[]) => void;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Warnings and notes, in the order of the file. */
  readonly problems: readonly Problem[];
  /** The same as lines of text, ready to log; no secret is in them. */
  readonly warnings: readonly string[];
  /** Absolute paths of every file it was read from, secret files included: what to watch for rotated secrets. */
  readonly files: readonly string[];
}

/**
 * Finds, reads and checks the configuration: bytes → text → tree → tree in the schema's words → plain data → Config.
 * The tree remembers where each piece stands, so whatever a later step finds can be pointed at in the file.
 *
 * @throws ConfigError with everything that is wrong: CONFIG_NOT_FOUND, CONFIG_UNREADABLE, CONFIG_INVALID, or what
 * decryptConfig says
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const path = await findConfig(options);
  const file = await readConfig(path, options);
  const result = await interpret(path, file, options);
  const found = [...file.found, ...result.found].map((finding) => (options.strict ? strictly(finding) : finding));
  const problems = locate(displayPath(path, options.cwd), file.text, found, result.visibility);
  if (!result.config || found.some(isError)) {
    // An unknown key often explains a missing one, so warnings are told along.
    const told = problems.filter(({ severity }) => severity !== 'note');
    throw new ConfigError(formatProblems(told), { code: 'CONFIG_INVALID', problems: told });
  }
  return { config: result.config, problems, warnings: problems.map(formatLine), files: [path, ...result.files] };
}

interface Interpreted {
  readonly config?: Config;
  readonly found: readonly Finding[];
  readonly visibility?: Visibility;
  readonly files: readonly string[];
}

async function interpret(path: string, file: ReadConfig, options: LoadOptions): Promise<Interpreted> {
  if (file.undecodable) return { found: [], files: [] };
  const parsed = parse(file.text);
  if (parsed.root?.kind !== 'map') {
    const found = parsed.found.length > 0 ? parsed.found : [notASection(file.text, parsed.root)];
    return { found, files: [] };
  }
  const visibility = visibleOf(parsed.root, file.text);
  const folder = baseFolder(path, options.cwd);
  const named = normalise(parsed.root, options.env, visibility.discretion);
  const whole = await readSecretFiles(named.root, { folder, env: options.env });
  const secret = secretsIn(whole.root);
  // What is not ours is left out of the tree by now, and may hold secrets all the same.
  const others = secretsIn(parsed.root).secrets.filter((text) => !text.includes('${'));
  options.onSecrets?.([...secret.secrets, ...others]);
  const valid = validate(whole.root);
  const sofar = [...parsed.found, ...named.found, ...whole.found, ...secret.found, ...valid.found];
  const sound = soundness(sofar);
  // Has the shape that the schema describes, wherever the validator was content.
  const raw = valid.data as RawConfig;
  const checked = checkIntegrations(raw, sound);
  const satellite = checkSatellite(raw, whole.root, sound);
  const pems = await checkPemFiles(raw, folder, sound);
  const found = [
    ...sofar,
    ...[...checked.found, ...satellite.found, ...pems].map((finding) => pointed(finding, whole.root)),
    ...(file.open && visibility.discretion.holdsSecrets ? [readableByOthersWarning(path)] : []),
  ];
  if (found.some(isError)) return { found, visibility, files: whole.files };
  const dataDir = await dataDirOf(raw.satellite.data_dir, { folder, env: options.env, cwd: options.cwd });
  const config = buildConfig(raw, { path, folder, dataDir, seiUrl: satellite.url, integrations: checked.integrations });
  return { config, found, visibility, files: [...whole.files, ...pemFilesOf(config)] };
}

function notASection(text: string, root: TreeNode | undefined): Finding {
  const expected = 'the sections satellite and integrations';
  if (!root) return fault('EMPTY_FILE', [], 'there is nothing in this file', { expected });
  if (root.kind === 'scalar') return explainText(text);
  return fault('BAD_VALUE', [], 'the file is a list', { expected, span: { start: root.start, end: root.start + 1 } });
}

/** Whether nothing wrong was found at or below a path, nor with what it stands in. */
function soundness(found: readonly Finding[]): (path: Path) => boolean {
  const broken = found.filter(isError).map(({ path }) => path);
  const exactly = new Set(broken.map(formatPath));
  const above = new Set(broken.flatMap((path) => path.map((_step, depth) => formatPath(path.slice(0, depth)))));
  return (path) =>
    !above.has(formatPath(path)) && !path.some((_step, depth) => exactly.has(formatPath(path.slice(0, depth + 1))));
}

function pointed(finding: Finding, root: TreeNode): Finding {
  return finding.span ? finding : { ...finding, span: placeOf(root, finding.path) };
}

/** What the vendor's image overlooks, and a strict check does not. */
const OVERLOOKED = new Set(['UNKNOWN_KEY', 'REPEATED_KEY', 'UNKNOWN_CHOICE']);

function strictly(finding: Finding): Finding {
  return OVERLOOKED.has(finding.code) ? { ...finding, severity: 'error' } : finding;
}

function isError(finding: Finding): boolean {
  return finding.severity === 'error';
}
