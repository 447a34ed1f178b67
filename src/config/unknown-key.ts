import { canonicalKey, squash } from './names.ts';
import { nearest } from './nearest.ts';
import { configSchema, resolveSchema, type Schema } from './schema.ts';

/** Words that other tools, or a reader of Bitbucket's own pages, would use. */
const OTHER_WORDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    accountid: 'tenant',
    account: 'tenant',
    baseurl: 'url',
    endpoint: 'url',
    server: 'url',
    user: 'username',
    login: 'username',
    type: 'application',
    repositories: 'repos',
    excludedrepos: 'exclude_repos',
    fetchpullrequests: 'fetch_prs',
    fetchreviews: 'fetch_pr_reviews',
    fetchfiles: 'fetch_commit_files',
    interval: 'scheduling_interval',
    cron: 'schedule',
    verbosity: 'level',
    loglevel: 'log.level',
    datadirectory: 'data_dir',
    allowunsafessl: 'tls.insecure',
    verifyssl: 'tls.insecure',
    skipverify: 'tls.insecure',
    insecureskipverify: 'tls.insecure',
    onboardingindays: 'backfill_days',
    secret: 'api_key',
    accesstoken: 'token',
  }),
);

/** What the key was probably meant to be, in words, or nothing when there is no saying. */
export function guessKey(key: string, schema: Schema): string | undefined {
  const candidates = Object.keys(schema.properties ?? {});
  const word = OTHER_WORDS.get(squash(key));
  const [head = '', leaf] = word?.split('.') ?? [];
  if (leaf !== undefined && candidates.includes(head)) return `did you mean ${leaf} in the section ${head}?`;
  if (word !== undefined && candidates.includes(word)) return `did you mean ${word}?`;
  const elsewhere = sectionOf(key, schema);
  if (elsewhere !== undefined) return `it belongs to ${elsewhere}`;
  const near = nearest(key, candidates);
  return near === undefined ? undefined : `did you mean ${near}?`;
}

/** Where a key that is right in itself would be: usually one level of indentation away. */
function sectionOf(key: string, schema: Schema): string | undefined {
  const inside = Object.entries(schema.properties ?? {}).find(
    ([, child]) => canonicalKey(key, resolveSchema(child)) !== undefined,
  );
  if (inside) return `the section ${inside[0]}: indent it below that key`;
  const { properties = {} } = configSchema();
  if (canonicalKey(key, configSchema()) !== undefined) return 'the top of the file: it must not be indented';
  for (const [name, child] of [
    ...Object.entries(properties),
    ...sectionsOf('bitbucket_server'),
    ...sectionsOf('satellite'),
  ]) {
    const target = resolveSchema(name === 'integrations' ? resolveSchema(child).items : child);
    if (target !== schema && canonicalKey(key, target) !== undefined) {
      return name === 'integrations' ? 'an item of integrations' : `the section ${name}`;
    }
  }
  return undefined;
}

function sectionsOf(definition: string): readonly [string, Schema][] {
  const properties = configSchema().definitions?.[definition]?.properties ?? {};
  return Object.entries(properties).filter(
    ([name, child]) => name !== 'keys' && resolveSchema(child).properties !== undefined,
  );
}
