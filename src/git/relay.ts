import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BitbucketClient } from '../bitbucket/client.ts';
import { SatelliteError } from '../errors.ts';

/** The names of all refs and commits of a large repository fit well into it. */
const maxRequestBytes = 32 * 2 ** 20;

export interface RelayOptions {
  readonly client: Pick<BitbucketClient, 'git'>;
  /** Of the repository, below the base URL of Bitbucket, as it goes over the wire: `scm/pay/ledger.git`. */
  readonly repositoryPath: string;
  /** Told of all bytes that have passed so far; throws where that is enough. */
  readonly onBytes: (total: number) => void;
}

/**
 * A door on the loopback address through which a git of this machine reads one repository. Behind it is the client of
 * all other requests, so that certificates, proxies, rate, pauses and patience are the same, and git never gets to see a
 * credential: not in argv, not in its environment, not on disk. Who comes has to know a token that git is told through
 * the environment and that ends with the door; what is asked for has to be a part of fetching this repository.
 *
 * open → `close`, which ends what is under way. After a crash nobody listens any more, and git ends by itself.
 */
export class Relay implements AsyncDisposable {
  /** Why the last thing that git asked for could not be had; git itself only knows that it got nothing. */
  failure: unknown;
  readonly #options: RelayOptions;
  readonly #token = randomBytes(32).toString('base64url');
  readonly #server: Server;
  #bytes = 0;

  private constructor(options: RelayOptions) {
    this.#options = options;
    this.#server = createServer({ requestTimeout: 0 }, (request, response) => {
      this.#exchange(request, response).catch((error: unknown) => {
        this.failure = error;
        // Git is not to take what has passed for all there is.
        if (response.headersSent) response.destroy();
        else response.writeHead(502).end();
      });
    });
  }

  static async open(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options);
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return relay;
  }

  /** What git is to fetch from. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/${this.#options.repositoryPath}`;
  }

  /** What git is to be told through the environment. */
  get config(): Readonly<Record<string, string>> {
    return { 'http.extraHeader': `${tokenHeader}: ${this.#token}` };
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#isOurs(request) || !this.#isReading(request)) {
      response.writeHead(403).end();
      return;
    }
    const { method, url = '', headers } = request;
    const isPost = method === 'POST';
    const body = isPost ? await wholeBody(request) : undefined;
    const passedOn = ['content-type', 'content-encoding', 'git-protocol', 'accept'].flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    });
    await this.#options.client.git(
      {
        method: isPost ? 'POST' : 'GET',
        path: url.slice(1),
        headers: { ...Object.fromEntries(passedOn), 'user-agent': 'git/ingestion-satellite' },
        ...(body === undefined ? {} : { body }),
      },
      async (chunks, answer) => {
        const contentType = answer['content-type'] ?? '';
        if (!contentType.startsWith('application/x-git-upload-pack-')) throw notGit(url);
        response.writeHead(200, { 'content-type': contentType });
        for await (const chunk of chunks) {
          this.#bytes += chunk.length;
          this.#options.onBytes(this.#bytes);
          if (response.destroyed) return;
          if (!response.write(chunk)) await drained(response);
        }
        response.end();
      },
    );
    this.failure = undefined;
  }

  #isOurs({ headers }: IncomingMessage): boolean {
    const shown = Buffer.from(String(headers[tokenHeader] ?? ''));
    const token = Buffer.from(this.#token);
    return shown.length === token.length && timingSafeEqual(shown, token);
  }

  #isReading({ method, url }: IncomingMessage): boolean {
    const { repositoryPath } = this.#options;
    if (method === 'GET') return url === `/${repositoryPath}/info/refs?service=git-upload-pack`;
    return method === 'POST' && url === `/${repositoryPath}/git-upload-pack`;
  }
}

const tokenHeader = 'x-satellite-relay';

/** A login page: git would take it for an empty repository. */
function notGit(url: string): SatelliteError {
  return new SatelliteError('The answer is not spoken by git', {
    code: 'BITBUCKET_ANSWER_UNREADABLE',
    kind: 'retryable',
    url,
  });
}

async function wholeBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxRequestBytes) throw new Error('git asks for more than a repository can hold');
  }
  return Buffer.concat(chunks);
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
