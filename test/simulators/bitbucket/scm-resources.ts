import { type Answer, textAnswer } from './answer.ts';
import { type Call, repositoryOf } from './call.ts';
import type { Refusal } from './errors.ts';

/**
 * Git over HTTP, reading only (`…/scm/{key}/{slug}.git`): the smart protocol out of the same repositories. What is refused
 * is told in plain text with the status alone, as git looks at nothing else.
 */

export async function infoRefs(call: Call): Promise<Answer> {
  if (call.query.get('service') !== 'git-upload-pack') return textAnswer('Forbidden', 403, 'text/plain');
  return uploadPack(call, ['--http-backend-info-refs'], 'advertisement');
}

export async function uploadPackResult(call: Call): Promise<Answer> {
  return uploadPack(call, ['--stateless-rpc'], 'result', await call.body());
}

/** As git's own clients see it: with the challenge that makes them ask for a password. */
export function gitRefusalAnswer(refusal: Refusal): Answer {
  const status =
    refusal.exceptionName?.endsWith('.AuthorisationException') && refusal.status === 401 ? 404 : refusal.status;
  const answer = textAnswer(`${refusal.message}\n`, status, 'text/plain;charset=UTF-8');
  const challenge = status === 401 ? { 'WWW-Authenticate': 'Basic realm="Atlassian Bitbucket"' } : {};
  return { ...answer, headers: { ...answer.headers, ...refusal.headers, ...challenge } };
}

function uploadPack(call: Call, args: readonly string[], kind: 'advertisement' | 'result', input?: Buffer): Answer {
  const { git } = repositoryOf(call);
  const protocol = call.gitProtocol === undefined ? {} : { GIT_PROTOCOL: call.gitProtocol };
  const options = { signal: call.signal, env: protocol, ...(input === undefined ? {} : { input }) };
  const output = git.git.stream(git.gitDir, ['upload-pack', '--strict', ...args, '.'], { ...options, bare: true });
  return {
    status: 200,
    headers: { 'Content-Type': `application/x-git-upload-pack-${kind}` },
    body: kind === 'result' || call.gitProtocol?.includes('version=2') ? output : announced(output),
  };
}

/** The service's name goes before what the first versions of the protocol say. */
async function* announced(output: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  yield Buffer.from('001e# service=git-upload-pack\n0000');
  yield* output;
}
