import { readFile } from 'node:fs/promises';
import { buildConfig, type ResolvedIntegration } from './build.ts';
import type { Config } from './config.ts';
import { credentialsOf } from './credentials.ts';
import { dataDirOf } from './data-dir.ts';
import { type FindOptions, findConfig } from './find.ts';
import { formatProblems } from './message.ts';
import { OUR_APPLICATION } from './names.ts';
import { normalise } from './normalise.ts';
import { parse } from './parse.ts';
import { ConfigError, type Problem } from './problem.ts';
import type { RawConfig, RawIntegration } from './raw.ts';
import type { Path, TreeNode } from './tree.ts';
import { nodeAt } from './tree.ts';
import { parseBitbucketUrl, parseSeiUrl } from './urls.ts';
import { validate } from './validate.ts';

export interface LoadOptions extends FindOptions {
  /** Unknown keys are errors instead of warnings. */
  readonly strict?: boolean;
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
 * Finds, reads and checks the configuration.
 * @throws ConfigError with every problem, its place and what to write instead: `CONFIG_NOT_FOUND`, `CONFIG_INVALID`.
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const path = await findConfig(options);
  const text = await readFile(path, 'utf8');
  const parsed = parse(text);
  const fail = (problems: readonly Problem[]): never => {
    throw new ConfigError(formatProblems(path, text, problems), 'CONFIG_INVALID', problems);
  };
  if (!parsed.root) {
    return fail(
      parsed.problems.length > 0 ? parsed.problems : [error('EMPTY_FILE', [], 'there is nothing in this file')],
    );
  }
  const normalised = normalise(parsed.root);
  const validated = validate(normalised.root);
  const found = [...parsed.problems, ...normalised.problems, ...validated.problems];
  if (found.some(isError)) return fail(found.filter(isError));

  // The validator has passed it, so it has the shape that the schema describes.
  const raw = validated.data as RawConfig;
  const resolved = resolveIntegrations(raw, normalised.root);
  if (resolved.problems.length > 0) return fail(resolved.problems);
  const seiUrl = parseSeiUrl(raw.satellite.url);
  const config = buildConfig(raw, {
    path,
    dataDir: await dataDirOf(raw.satellite.data_dir, { configPath: path, env: options.env, cwd: options.cwd }),
    seiUrl: 'url' in seiUrl ? seiUrl.url : raw.satellite.url,
    integrations: resolved.integrations,
  });
  return {
    config,
    problems: found,
    warnings: found.map((problem) => formatProblems(path, text, [problem])),
    files: [path],
  };
}

function resolveIntegrations(raw: RawConfig, root: TreeNode) {
  const problems: Problem[] = [];
  const integrations: ResolvedIntegration[] = [];
  const seen = new Map<string, number>();
  for (const [index, integration] of raw.integrations.entries()) {
    if (!isOurs(integration)) continue;
    const path = ['integrations', index];
    const first = seen.get(integration.id);
    if (first !== undefined) {
      problems.push(error('DUPLICATE_ID', [...path, 'id'], `integrations[${first}] has the same id`, root));
    }
    seen.set(integration.id, index);
    const credentials = credentialsOf(integration);
    const url = parseBitbucketUrl(integration.url);
    if ('missing' in credentials) {
      problems.push(
        error('MISSING_CREDENTIALS', path, `${credentials.missing} is missing: ${credentials.message}`, root),
      );
    } else if ('url' in url) {
      integrations.push({ raw: integration, url: url.url, credentials: credentials.all });
    }
  }
  if (problems.length === 0 && integrations.length === 0) {
    problems.push(error('NO_INTEGRATION', ['integrations'], 'none of them has application bitbucket_server', root));
  }
  return { integrations, problems };
}

function isOurs(integration: RawConfig['integrations'][number]): integration is RawIntegration {
  return integration.application === OUR_APPLICATION;
}

function isError(problem: Problem): boolean {
  return problem.severity === 'error';
}

function error(code: string, path: Path, message: string, root?: TreeNode): Problem {
  const node = root && nodeAt(root, path);
  return { severity: 'error', code, path, message, ...(node && { span: { start: node.start, end: node.end } }) };
}
