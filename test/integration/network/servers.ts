import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import type { KeyPair } from './certificates.ts';

export interface TestServer extends AsyncDisposable {
  readonly port: number;
}

export interface Target extends TestServer {
  /** On localhost. */
  readonly url: string;
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders }[];
}

/** Answers every request with 200 and `{"ok":true}`. */
export async function startTarget(
  tls?: KeyPair & { readonly options?: TlsOptions },
  host = 'localhost',
): Promise<Target> {
  const requests: { path: string; headers: IncomingHttpHeaders }[] = [];
  const listener: RequestListener = ({ url = '', headers }, response) => {
    requests.push({ path: url, headers });
    response.setHeader('content-type', 'application/json').end('{"ok":true}');
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(serverOptions(tls), listener);
  const listening = await listen(server, host);
  return { ...listening, url: `${tls === undefined ? 'http' : 'https'}://${host}:${listening.port}`, requests };
}

export function serverOptions({ certFile, keyFile, options }: KeyPair & { readonly options?: TlsOptions }): TlsOptions {
  return { cert: readFileSync(certFile), key: readFileSync(keyFile), ...options };
}

/** All that is open is closed at the end, so that nothing outlives a test. */
export async function listen(server: NetServer | Server, host = 'localhost'): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, host.replace(/[[\]]/g, ''), resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port of localhost where nobody listens. */
export async function closedPort(): Promise<number> {
  const server = await listen(createServer());
  await server[Symbol.asyncDispose]();
  return server.port;
}
