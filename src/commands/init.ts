import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { checkOutput, writeOutput } from '../config/encryption-file.ts';
import type { LoadedConfig } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import type { Redactor } from '../ops/redact.ts';
import { showCheck } from './check.ts';
import { exitCodes } from './exit-code.ts';
import { addHelpSections, networkEnvironment } from './help.ts';
import type { Answers } from './init-answers.ts';
import { collectAnswers, FlagProblem, type InitFlags } from './init-collect.ts';
import { renderConfig } from './init-file.ts';
import { Cancelled, Questions } from './init-questions.ts';
import { loadFrom } from './load.ts';
import { EXIT_CANCELLED } from './password.ts';

interface InitCommand extends InitFlags {
  readonly out: string;
  readonly force?: boolean;
  readonly check: boolean;
}

export function registerInit(program: Command, redactor: Redactor): void {
  const command = program
    .command('init')
    .description('ask for what is needed, try it out, and write a satellite.yml')
    .option('-o, --out <file>', 'the file to write, readable by you alone (mode 0600)', 'satellite.yml')
    .option('--force', 'replace the file if it exists')
    .option('--no-check', 'write without trying anything out')
    .option('--tenant <id>', 'the Harness account id')
    .option('--sei-url <url>', 'base URL of SEI for your cluster')
    .option(
      '--sei-key-env <name>',
      'the API key of SEI is in this environment variable, now and when the satellite runs',
    )
    .option('--sei-key-file <file>', 'the API key of SEI is in this file')
    .option('--integration <id>', 'id of the integration in SEI')
    .option('--bitbucket-url <url>', 'URL of Bitbucket; that of a project or repository page narrows it to that')
    .option('--username <name>', 'user of Bitbucket')
    .option('--token-only', 'there is no user, but an HTTP access token alone')
    .option('--bitbucket-key-env <name>', 'password or access token is in this environment variable')
    .option('--bitbucket-key-file <file>', 'password or access token is in this file')
    .option(
      '--secrets-stdin',
      'read both secrets from stdin, one a line: first that of SEI; they are written into the file',
    )
    .option('--repos <names>', 'only these repositories, with commas: name, slug, KEY/slug, or a glob')
    .option('--projects <names>', 'only these projects, with commas: name or key, or a glob')
    .option('--bitbucket-ca-file <file>', 'PEM file of the authority that signed the certificate of Bitbucket')
    .option('--data-dir <folder>', 'where jobs and unsent pages are kept')
    .action(async (options: InitCommand) => {
      process.exitCode = await init(options, command, redactor);
    });
  addHelpSections(command, {
    notes: `
On a terminal it asks for whatever no flag says; secrets are not shown. Elsewhere every flag is needed that has no
default. Secrets are never flags, as every user of the machine can read those. What is written has been tried out as
\`satellite check\` does it; where that fails, nothing is written unless --no-check is given.`,
    examples: [
      'satellite init',
      'satellite init --out /etc/satellite/satellite.yml --force',
      `satellite init --tenant aBcDeFgH --sei-url https://app.harness.io/gratis/sei/api --integration 4711 \\
      --bitbucket-url https://bitbucket.example.com/projects/PAY --username sei-reader \\
      --sei-key-env HARNESS_API_KEY --bitbucket-key-file /run/secrets/bitbucket`,
    ],
    environment: ['HARNESS_API_KEY', 'BITBUCKET_API_KEY', ...networkEnvironment, 'NO_COLOR, FORCE_COLOR'],
    exitCodes: [
      [0, 'the file is written'],
      [64, 'wrong arguments, or some are missing and there is no terminal to ask at'],
      [69, 'not written: a server cannot be reached'],
      70,
      [74, 'not written: the folder cannot be written to'],
      [77, 'not written: the credentials, the key or a permission was refused'],
      [78, 'not written: it exists, or what was answered does not work'],
      [130, 'cancelled with Ctrl-C; nothing is written'],
    ],
  });
}

/** Asks, tries out, and only then writes: what is in the file has worked, unless somebody said that it need not. */
async function init(options: InitCommand, command: Command, redactor: Redactor): Promise<number> {
  const out = resolve(options.out);
  const target = { out, force: options.force };
  await checkOutput(target);
  try {
    const answers = await collectAnswers(options, process, process.cwd());
    const text = renderConfig(answers);
    const exitCode = await tryOut(text, out, answers, { isChecked: options.check, redactor });
    if (exitCode !== exitCodes.ok && !(await isWantedAnyway(options))) {
      process.stderr.write(`\n${out} is not written. Mend what failed, or write it untried with --no-check.\n`);
      return exitCode;
    }
    await writeOutput(text, target, process.stdout);
    process.stdout.write(
      `\n${out} is written, readable by you alone (mode 0600).\nNext: satellite run --config ${out}\n`,
    );
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof Cancelled) {
      process.stderr.write('\nCancelled; nothing is written.\n');
      return EXIT_CANCELLED;
    }
    if (error instanceof FlagProblem) command.error(error.message, { exitCode: exitCodes.usage });
    throw error;
  }
}

async function isWantedAnyway(options: InitCommand): Promise<boolean> {
  if (!process.stdin.isTTY || options.secretsStdin === true) return false;
  return new Questions(process).ask({
    text: '\nSomething failed. Write the file all the same? (yes or no)',
    otherwise: 'no',
    judge: (answer) => ({ value: /^y(es)?$/i.test(answer) }),
  });
}

/**
 * Reads the text from a file beside the one that it is going to be, as paths in it are relative to that folder.
 *
 * @returns the exit code of the check
 * @throws ConfigError
 */
async function tryOut(
  text: string,
  out: string,
  answers: Answers,
  { isChecked, redactor }: { readonly isChecked: boolean; readonly redactor: Redactor },
): Promise<number> {
  const draft = join(dirname(out), `.${basename(out)}.${randomBytes(6).toString('hex')}.draft`);
  const remove = () => rmSync(draft, { force: true });
  // It holds secrets: whatever ends the process takes it away, too.
  const end = (signal: NodeJS.Signals) => {
    remove();
    process.exit(signal === 'SIGINT' ? EXIT_CANCELLED : 143);
  };
  process.on('SIGINT', end).on('SIGTERM', end).on('SIGHUP', end);
  try {
    await writeOutput(text, { out: draft }, process.stdout);
    const load = () => loadDraft(draft, out, isChecked ? process.env : withStandIns(answers), redactor);
    // Before the check, as an error in here is one of an answer and ends it.
    await load();
    return isChecked ? await showCheck(load, redactor) : exitCodes.ok;
  } finally {
    await rm(draft, { force: true });
    process.off('SIGINT', end).off('SIGTERM', end).off('SIGHUP', end);
  }
}

async function loadDraft(
  draft: string,
  out: string,
  env: NodeJS.ProcessEnv,
  redactor: Redactor,
): Promise<LoadedConfig> {
  try {
    const loaded = await loadFrom({ path: draft, env }, redactor);
    return { ...loaded, config: { ...loaded.config, path: out } };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.message.replaceAll(basename(draft), basename(out)), {
      code: error.code,
      problems: error.problems,
    });
  }
}

/** Variables that are going to be set where the satellite runs need not be set here, if nothing is tried out. */
function withStandIns({ seiKey, bitbucketKey }: Answers): NodeJS.ProcessEnv {
  const names = [seiKey, bitbucketKey].flatMap((secret) => (secret.kind === 'variable' ? [secret.name] : []));
  return { ...Object.fromEntries(names.map((name) => [name, 'stand-in'])), ...process.env };
}
