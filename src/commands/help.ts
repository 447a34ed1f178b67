import type { Command } from 'commander';

/** The same on every terminal, so that what is documented is what is shown. */
export const helpWidth = 110;

const exitCodeTexts = {
  0: 'done',
  1: 'a job failed',
  64: 'wrong arguments',
  69: 'a server cannot be reached',
  70: 'a defect of the satellite: please report it',
  74: 'the data directory cannot be used',
  75: 'another satellite uses the data directory',
  77: 'refused: the credentials, the key, or a permission that is missing',
  78: 'the configuration has to change; the message says where and how',
  130: 'cancelled with Ctrl-C',
} as const;

type ExitCode = keyof typeof exitCodeTexts;

const environmentTexts = {
  CONFIG_FILE: 'the configuration, where --config is not given',
  ENCRYPTION_PASSWORD: 'password of an encrypted configuration',
  HARNESS_API_KEY: 'the API key of SEI, where no flag names another source',
  BITBUCKET_API_KEY: 'password or access token for Bitbucket, where no flag names another source',
  CREDENTIALS_DIRECTORY: 'where the files of api_key_file and the like are looked for first (systemd sets it)',
  STATE_DIRECTORY: 'the data directory, where satellite.data_dir is not set (systemd sets it)',
  'HTTPS_PROXY, NO_PROXY': 'the proxy, where satellite.proxy is not set; HTTP_PROXY and ALL_PROXY, too',
  NODE_EXTRA_CA_CERTS: 'PEM file of authorities to trust as well, for both servers',
  BUILD_VERSION: 'the version that SEI is told and --version prints',
  'NO_COLOR, FORCE_COLOR': 'words instead of signs and no colours, or both also where it is no terminal',
  'any other': `where the configuration names it, as in \${NAME}`,
} as const;

type EnvironmentVariable = keyof typeof environmentTexts;

export interface HelpSections {
  /** Between the options and the examples. */
  readonly notes?: string;
  readonly examples: readonly string[];
  readonly environment?: readonly EnvironmentVariable[];
  /** In words of their own where the general ones do not fit. */
  readonly exitCodes: readonly (ExitCode | readonly [ExitCode, string])[];
}

/** What every command that reads the configuration looks at. */
export const configEnvironment = ['CONFIG_FILE', 'ENCRYPTION_PASSWORD', 'CREDENTIALS_DIRECTORY'] as const;

export const networkEnvironment = ['HTTPS_PROXY, NO_PROXY', 'NODE_EXTRA_CA_CERTS'] as const;

export const encryptionExitCodes: HelpSections['exitCodes'] = [
  0,
  64,
  [74, 'the output could not be written'],
  [78, 'the file, the password or --out cannot be used; the message says why and what to do'],
  [130, 'cancelled with Ctrl-C at the prompt; nothing was written'],
];

/** Appends to the help of a command what the options do not say, in the same form everywhere. */
export function addHelpSections(
  command: Command,
  { notes, examples, environment = [], exitCodes }: HelpSections,
): Command {
  const sections = [
    ...(notes === undefined ? [] : [notes.trim()]),
    section(
      'Examples',
      examples.map((example) => `$ ${example}`),
    ),
    ...(environment.length === 0
      ? []
      : [
          section('Environment variables', columns(environment.map((name) => [name, environmentTexts[name]] as const))),
        ]),
    section('Exit codes', columns(exitCodes.map(exitCodeRow))),
  ];
  return command.addHelpText('after', `\n${sections.join('\n\n')}`);
}

function section(title: string, lines: readonly string[]): string {
  return [`${title}:`, ...lines.map((line) => `  ${line}`)].join('\n');
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
}

function exitCodeRow(entry: HelpSections['exitCodes'][number]): readonly [string, string] {
  const [code, text] = typeof entry === 'number' ? [entry, exitCodeTexts[entry]] : entry;
  return [String(code), text];
}
