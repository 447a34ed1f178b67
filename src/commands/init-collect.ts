import { resolve } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { parseBitbucketUrl } from '../config/bitbucket-url.ts';
import type { AddressFault } from '../config/http-url.ts';
import { parseSeiUrl } from '../config/sei-url.ts';
import type { Answers, Secret } from './init-answers.ts';
import { type Judged, Questions } from './init-questions.ts';
import type { PasswordIo } from './password.ts';

/** The flags as they were given. */
export interface InitFlags {
  readonly tenant?: string;
  readonly seiUrl?: string;
  readonly seiKeyEnv?: string;
  readonly seiKeyFile?: string;
  readonly integration?: string;
  readonly bitbucketUrl?: string;
  readonly username?: string;
  readonly tokenOnly?: boolean;
  readonly bitbucketKeyEnv?: string;
  readonly bitbucketKeyFile?: string;
  readonly secretsStdin?: boolean;
  readonly repos?: string;
  readonly projects?: string;
  readonly bitbucketCaFile?: string;
  readonly dataDir?: string;
}

/** Thrown where a flag is missing or wrong and there is nobody to ask. */
export class FlagProblem extends Error {}

/**
 * The answers: from the flags, secrets from the environment, a file or stdin, and the rest from whoever sits at the
 * terminal.
 *
 * @throws FlagProblem
 * @throws Cancelled
 */
export async function collectAnswers(flags: InitFlags, io: PasswordIo, cwd: string): Promise<Answers> {
  const questions = io.stdin.isTTY && flags.secretsStdin !== true ? new Questions(io) : undefined;
  const piped = flags.secretsStdin === true ? await pipedSecrets(io) : undefined;
  if (questions === undefined) refuseMissing(flags, io.env, piped);
  const answer = <T>(
    flag: string,
    given: string | undefined,
    text: string,
    judge: (text: string) => Judged<T>,
    otherwise?: string,
  ) => answerOf({ flag, given, questions, text, judge, otherwise });

  const tenant = await answer('--tenant', flags.tenant, 'Harness account id', judgeWord);
  if (flags.seiUrl === undefined) questions?.say(clusters);
  const seiUrl = await answer('--sei-url', flags.seiUrl, 'URL of SEI', judgeSeiUrl, defaultSeiUrl);
  const seiKey = await secretOf(
    { variable: flags.seiKeyEnv, file: flags.seiKeyFile, piped: piped?.[0], usual: 'HARNESS_API_KEY' },
    { questions, io, cwd, text: 'API key of SEI (not shown)' },
  );
  const integrationId = await answer('--integration', flags.integration, 'Id of the integration in SEI', judgeWord);
  const address = await answer(
    '--bitbucket-url',
    flags.bitbucketUrl,
    'URL of Bitbucket, any page of it',
    judgeBitbucketUrl,
  );
  if (address.hasLogin) io.stderr.write('  The user and the password in that address are not used.\n');
  const username =
    flags.tokenOnly === true
      ? undefined
      : await answer('--username', flags.username, 'User of Bitbucket (only Enter: a token alone)', judgeUser);
  const bitbucketKey = await secretOf(
    { variable: flags.bitbucketKeyEnv, file: flags.bitbucketKeyFile, piped: piped?.[1], usual: 'BITBUCKET_API_KEY' },
    { questions, io, cwd, text: `${username === undefined ? 'Access' : 'Password or access'} token (not shown)` },
  );
  const isNarrowed = address.repo !== undefined || address.project !== undefined;
  if (isNarrowed) questions?.say(`  That is ${address.url}, of which only ${address.repo ?? address.project} is read.`);
  const repos = await answer(
    '--repos',
    flags.repos ?? (questions === undefined || isNarrowed ? '' : undefined),
    'Only these repositories, with commas (only Enter: all)',
    judgeNames,
  );
  return {
    tenant,
    seiUrl,
    seiKey,
    integrationId,
    bitbucketUrl: address.url,
    username,
    bitbucketKey,
    repos: address.repo === undefined ? repos : [...new Set([address.repo, ...repos])],
    projects: [...(address.project === undefined ? [] : [address.project]), ...names(flags.projects ?? '')],
    bitbucketCaFile: flags.bitbucketCaFile === undefined ? undefined : resolve(cwd, flags.bitbucketCaFile),
    dataDir: flags.dataDir === undefined ? undefined : resolve(cwd, flags.dataDir),
  };
}

const defaultSeiUrl = 'https://app.harness.io/gratis/sei/api';

const clusters = `SEI has another URL in each cluster:
  https://app.harness.io/gratis/sei/api    Prod2
  https://app.harness.io/prod1/sei/api     Prod1
  https://app3.harness.io/sei/api          Prod3
  https://accounts.eu.harness.io/sei/api   EU`;

function refuseMissing(flags: InitFlags, env: PasswordIo['env'], piped: readonly string[] | undefined): void {
  const missing = [
    flags.tenant === undefined && '--tenant',
    flags.seiUrl === undefined && '--sei-url',
    !(flags.seiKeyEnv ?? flags.seiKeyFile ?? piped ?? env.HARNESS_API_KEY) &&
      '--sei-key-env or --sei-key-file (or HARNESS_API_KEY, or --secrets-stdin)',
    flags.integration === undefined && '--integration',
    flags.bitbucketUrl === undefined && '--bitbucket-url',
    flags.username === undefined && flags.tokenOnly !== true && '--username or --token-only',
    !(flags.bitbucketKeyEnv ?? flags.bitbucketKeyFile ?? piped ?? env.BITBUCKET_API_KEY) &&
      '--bitbucket-key-env or --bitbucket-key-file (or BITBUCKET_API_KEY, or --secrets-stdin)',
  ].filter((flag) => flag !== false);
  if (missing.length === 0) return;
  throw new FlagProblem(`There is no terminal to ask at, so these are needed too:\n  ${missing.join('\n  ')}`);
}

interface Asking<T> {
  readonly flag: string;
  readonly given: string | undefined;
  readonly questions: Questions | undefined;
  readonly text: string;
  readonly judge: (text: string) => Judged<T>;
  readonly otherwise?: string | undefined;
}

async function answerOf<T>({ flag, given, questions, text, judge, otherwise }: Asking<T>): Promise<T> {
  if (given === undefined && questions !== undefined) {
    return questions.ask({ text, judge, ...(otherwise === undefined ? {} : { otherwise }) });
  }
  const judged = judge((given ?? otherwise ?? '').trim());
  if ('value' in judged) return judged.value;
  throw new FlagProblem(`${flag}: ${judged.problem}`);
}

interface SecretSources {
  readonly variable: string | undefined;
  readonly file: string | undefined;
  readonly piped: string | undefined;
  /** The variable that is taken where it is set and nothing else is said. */
  readonly usual: string;
}

async function secretOf(
  { variable, file, piped, usual }: SecretSources,
  { questions, io, cwd, text }: { questions: Questions | undefined; io: PasswordIo; cwd: string; text: string },
): Promise<Secret> {
  if (variable !== undefined) {
    if (!/^[A-Za-z_]\w*$/.test(variable))
      throw new FlagProblem('The name of a variable has letters, digits and _ only.');
    return { kind: 'variable', name: variable };
  }
  if (file !== undefined) return { kind: 'file', path: resolve(cwd, file) };
  if (piped !== undefined) return { kind: 'text', text: piped };
  const isSet = Boolean(io.env[usual]);
  if (questions === undefined) return { kind: 'variable', name: usual };
  const typed = await questions.ask({
    text: isSet ? `${text}; only Enter: \${${usual}} from the environment` : text,
    secret: true,
    judge: (answer) => (answer === '' && !isSet ? { problem: 'It is needed.' } : { value: answer }),
  });
  return typed === '' ? { kind: 'variable', name: usual } : { kind: 'text', text: typed };
}

/** Two lines: the key of SEI, the secret of Bitbucket. */
async function pipedSecrets(io: PasswordIo): Promise<readonly [string, string]> {
  if (io.stdin.isTTY) throw new FlagProblem('--secrets-stdin is for pipes and files: the terminal would show them.');
  const [sei = '', bitbucket = '', ...rest] = (await readAll(io.stdin)).split(/\r?\n/);
  if (sei !== '' && bitbucket !== '' && rest.join('') === '') return [sei, bitbucket];
  throw new FlagProblem(
    '--secrets-stdin needs two lines on stdin: the API key of SEI, and the password or token of Bitbucket.',
  );
}

function judgeWord(text: string): Judged<string> {
  if (text === '') return { problem: 'It is needed.' };
  return /^[!-~]+$/.test(text) ? { value: text } : { problem: 'Letters, digits and signs without spaces.' };
}

function judgeUser(text: string): Judged<string | undefined> {
  if (text === '') return { value: undefined };
  return /[:\p{Cc}]/u.test(text) ? { problem: 'A user name without a colon.' } : { value: text };
}

function judgeSeiUrl(text: string): Judged<string> {
  const parsed = parseSeiUrl(text);
  return 'problem' in parsed ? { problem: wordsFor(parsed) } : { value: parsed.url };
}

function judgeBitbucketUrl(text: string) {
  if (text === '') return { problem: 'It is needed.' };
  const parsed = parseBitbucketUrl(text);
  return 'problem' in parsed ? { problem: wordsFor(parsed) } : { value: parsed };
}

function judgeNames(text: string): Judged<string[]> {
  return { value: names(text) };
}

function names(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function wordsFor({ problem, expected, suggestion }: AddressFault): string {
  const meant = suggestion === undefined ? '' : ` Did you mean ${suggestion}?`;
  return `${problem}${expected === undefined ? '' : `; expected ${expected}`}.${meant}`;
}
