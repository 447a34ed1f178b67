import type { Answers, Secret } from './init-answers.ts';

/** The answers as a `satellite.yml` with a word on each key; the keys that are commented out show what else there is. */
export function renderConfig(answers: Answers): string {
  const { tenant, seiUrl, seiKey, integrationId, bitbucketUrl, username, bitbucketKey } = answers;
  return `# Configuration of the ingestion satellite, written by \`satellite init\`.
# \`satellite check\` tries it out; \`satellite schema\` prints everything that may stand here.
# Text may hold \${NAME}, \${NAME:-default} and \${NAME:?message} from the environment; $\${ is a plain \${.

satellite:
  # The Harness account id, exactly as Harness shows it.
  tenant: ${literal(tenant)}

  # API key of Harness SEI.
${indent(2, secretLine('api_key', seiKey))}

  # Base URL of SEI for your cluster.
  url: ${literal(seiUrl)}

  # Where jobs and unsent pages are kept. Default: $STATE_DIRECTORY (systemd), else /var/lib/satellite where that can be
  # written, else ./.satellite in the working directory.
${indent(2, optional('data_dir', answers.dataDir, '/var/lib/satellite'))}

  # Forward proxy. Without this section HTTPS_PROXY and NO_PROXY of the environment count.
  # proxy:
  #   host: proxy.example.com
  #   port: 8080
  #   # true: the traffic to Bitbucket too.
  #   all_traffic: false

integrations:
  # The id of the integration in Harness SEI, in quotes.
  - id: ${literal(integrationId)}
    application: bitbucket_server

    # Base URL of Bitbucket, with the context path if there is one.
    url: ${literal(bitbucketUrl)}

    # ${username === undefined ? 'An HTTP access token alone, sent as a bearer token.' : 'A user with a password or an HTTP access token.'}
${indent(4, loginLines(username, bitbucketKey))}

    # Certificates for the connection to this server (PEM), trusted in addition to the system's.
${indent(4, caLines(answers.bitbucketCaFile))}

    # How much this server is asked. Its own rate limiting is obeyed in any case.
    # rate_limit:
    #   requests_per_second: 4
    #   max_in_flight: 4

    metadata:
      fetch_commits: true
      # Which files a commit touched and how many lines; never a line of the source.
      fetch_commit_files: true
      fetch_prs: true
      # Who reviewed and when; never the text of a comment.
      fetch_pr_reviews: true

      # Only these repositories: name, slug, KEY/slug, or a glob. Default: all.
${indent(6, list('repos', answers.repos, 'ledger,PAY/api-*'))}
      # Only these projects: name or key, or a glob. Default: all.
${indent(6, list('projects', answers.projects, 'PAY,Web Shop'))}

      # How many days a full scan reaches back.
      # backfill_days: 7
`;
}

function loginLines(username: string | undefined, secret: Secret): string[] {
  if (username === undefined) return ['authentication: bearer', ...secretLine('token', secret)];
  return [`username: ${literal(username)}`, ...secretLine('api_key', secret)];
}

function secretLine(key: string, secret: Secret): string[] {
  switch (secret.kind) {
    case 'text':
      return [`${key}: ${literal(secret.text)}`];
    case 'variable':
      return [`${key}: \${${secret.name}}`];
    case 'file':
      return [`${key}_file: ${literal(secret.path)}`];
  }
}

function caLines(caFile: string | undefined): string[] {
  if (caFile === undefined) return ['# tls:', '#   ca_file: /etc/ssl/certs/corporate-ca.pem'];
  return ['tls:', `  ca_file: ${literal(caFile)}`];
}

function optional(key: string, value: string | undefined, example: string): string[] {
  return [value === undefined ? `# ${key}: ${example}` : `${key}: ${literal(value)}`];
}

function list(key: string, names: readonly string[], example: string): string[] {
  if (names.length === 0) return [`# ${key}: ${example}`];
  return [`${key}:`, ...names.map((name) => `  - ${literal(name)}`)];
}

/** Every JSON string is one of YAML, and says the same there; what looks like a reference to the environment is none. */
function literal(text: string): string {
  return JSON.stringify(text.replaceAll('${', () => '$${'));
}

function indent(spaces: number, lines: readonly string[]): string {
  return lines.map((line) => `${' '.repeat(spaces)}${line}`).join('\n');
}
