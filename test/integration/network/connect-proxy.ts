import { createServer, request as forward, type IncomingHttpHeaders } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { KeyPair } from './certificates.ts';
import { listen, serverOptions, type TestServer } from './servers.ts';

export interface ConnectProxy extends TestServer {
  /** What it was asked, as it saw it. */
  readonly requests: readonly { readonly line: string; readonly headers: IncomingHttpHeaders }[];
  /** Connections that are open right now. */
  openConnections(): number;
}

/**
 * A forward proxy that remembers what it was asked and does what it is told.
 *
 * @param answer the bytes to answer CONNECT with instead of connecting; `silence` for never, `reset` for breaking off
 */
export async function startConnectProxy(
  options: { tls?: KeyPair; answer?: string | 'silence' | 'reset' } = {},
): Promise<ConnectProxy> {
  const { tls, answer } = options;
  const requests: { line: string; headers: IncomingHttpHeaders }[] = [];
  const server = tls === undefined ? createServer() : createTlsServer(serverOptions(tls));
  let open = 0;
  server.on('connection', (socket) => {
    open++;
    socket.on('close', () => open--);
  });
  server.on('connect', ({ method, url = '', headers }, socket: Duplex) => {
    requests.push({ line: `${method} ${url}`, headers });
    socket.on('error', () => undefined);
    if (answer === 'silence') {
      socket.resume().on('end', () => socket.destroy());
      return;
    }
    if (answer === 'reset') {
      socket.destroy();
      return;
    }
    if (answer !== undefined) {
      socket.end(answer);
      return;
    }
    const { hostname, port } = new URL(`http://${url}`);
    const onward = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) }, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  server.on('request', (request, response) => {
    const { method = '', url = '', headers } = request;
    requests.push({ line: `${method} ${url}`, headers });
    if (answer !== undefined) {
      if (answer === 'reset') response.destroy();
      else if (answer !== 'silence') request.socket.end(answer);
      return;
    }
    const { 'proxy-authorization': _own, ...passed } = headers;
    request.pipe(
      forward(url, { method, headers: passed, agent: false }, (answered) => {
        response.writeHead(answered.statusCode ?? 500, answered.headers);
        answered.pipe(response);
      }).on('error', () => response.destroy()),
    );
  });
  return { ...(await listen(server)), requests, openConnections: () => open };
}
