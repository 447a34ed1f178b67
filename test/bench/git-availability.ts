import { readFile } from 'node:fs/promises';
import { type Bitbucket, credentials } from './bitbucket.ts';

const schema = new URL('../../schemas/satellite.schema.json', import.meta.url);

/** Why `commit_source: git` cannot be measured here; undefined: it can. */
export async function whyNoGitSource(
  bitbucket: Bitbucket,
  projectKey: string,
  slug: string,
): Promise<string | undefined> {
  if (!(await readFile(schema, 'utf8')).includes('"commit_source"')) {
    return 'not there: the configuration knows no metadata.commit_source';
  }
  const { status } = await fetch(`${bitbucket.url}/scm/${projectKey}/${slug}.git/info/refs?service=git-upload-pack`, {
    headers: {
      authorization: `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`,
    },
  });
  return status === 200 ? undefined : `not there: the simulator answers a clone with ${status}`;
}
