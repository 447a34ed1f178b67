import { readdirSync, readFileSync } from 'node:fs';
import { createServer, request as forward } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { spellingsOf } from '../../support/spellings.ts';

/** Something that must not turn up anywhere but in the places named. */
export interface Canary {
  readonly name: string;
  readonly value: string;
  /** Names of places, see `findCanaries`; none for a secret. */
  readonly allowedIn?: readonly string[];
}

/** Somewhere that the satellite writes to. */
export interface Place {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Where a message is cut, this much is already too much; it has to tell the canaries apart. */
const beginningLength = 15;

/** Every sighting, as `canary (spelling) in place`. */
export function findCanaries(canaries: readonly Canary[], places: readonly Place[]): string[] {
  const sightings: string[] = [];
  for (const { name, value, allowedIn = [] } of canaries) {
    const spellings = new Map(spellingsOf(value)).set('its beginning', value.slice(0, beginningLength));
    for (const [spelling, text] of spellings) {
      const bytes = Buffer.from(text);
      for (const place of places) {
        if (!allowedIn.includes(place.name) && place.bytes.includes(bytes)) {
          sightings.push(`${name} (${spelling}) in ${place.name}`);
        }
      }
    }
  }
  return sightings;
}

/** A longer message is cut by the satellite. */
const messageLength = 195;

/** What a server says that repeats everything it was sent: each secret in each spelling, in as few messages as can be. */
export function echoOf(canaries: readonly Canary[]): string[] {
  const spellings = new Set(canaries.flatMap(({ value }) => [...spellingsOf(value).values()]));
  const messages = [''];
  for (const spelling of spellings) {
    const last = `${messages.at(-1)} ${spelling}`;
    if (last.length <= messageLength) messages[messages.length - 1] = last;
    else messages.push(spelling);
  }
  return messages;
}

/**
 * A forward proxy that asks for a login and remembers every byte that went through it towards the server, but for the one
 * header that carries the key.
 */
export async function startRecordingProxy(login: string) {
  const sent: Buffer[] = [];
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
  let echo: string | undefined;
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    if (request.headers['proxy-authorization'] !== authorization || echo !== undefined) {
      const text = `<html>${echo ?? ''} ${request.headers['proxy-authorization']}</html>`;
      response.writeHead(echo === undefined ? 407 : 502, { 'content-type': 'text/html' }).end(text);
      return;
    }
    const { 'proxy-authorization': _own, ...passed } = request.headers;
    const { authorization: _key, ...recorded } = passed;
    sent.push(Buffer.from(`${request.method} ${request.url} ${JSON.stringify(recorded)}\n`));
    request.on('data', (chunk: Buffer) => sent.push(chunk));
    const onward = forward(request.url ?? '', { method: request.method, headers: passed, agent: false }, (answered) => {
      response.writeHead(answered.statusCode ?? 500, answered.headers);
      answered.pipe(response);
    });
    request.pipe(onward.on('error', () => response.destroy()));
  });
  server.on('connect', ({ url = '', headers }, socket) => {
    asked++;
    socket.on('error', () => undefined);
    if (headers['proxy-authorization'] !== authorization || echo !== undefined) {
      socket.end(`HTTP/1.1 ${echo === undefined ? 407 : 502} No\r\nX-Echo: x\r\n\r\n<html>${echo ?? ''}</html>`);
      return;
    }
    const { hostname, port } = new URL(`http://${url}`);
    const onward = connect(Number(port || 80), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket);
    });
    socket.on('data', (chunk: Buffer) => {
      sent.push(chunk);
      onward.write(chunk);
    });
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get asked() {
      return asked;
    },
    /** From now on nothing goes through, and each answer says this; undefined: as before. */
    refuse(text: string | undefined) {
      echo = text;
    },
    /** Without the header that carries the key to SEI: there it belongs. */
    sent: () =>
      Buffer.from(
        Buffer.concat(sent)
          .toString('latin1')
          .replace(/^authorization: .*$/gim, ''),
        'latin1',
      ),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Arguments and environment of all that a process has started, and its own arguments, looked at until it is stopped. */
export function watchProcesses(pid: number | undefined): () => Buffer {
  const seen: Buffer[] = [];
  const look = () => {
    const own = readOrNothing(`/proc/${pid}/cmdline`);
    seen.push(own);
    for (const child of childrenOf(pid)) {
      // Read before and after: one that is forked and not yet another program shows what its parent has.
      const [before, environment, after] = ['cmdline', 'environ', 'cmdline'].map((file) =>
        readOrNothing(`/proc/${child}/${file}`),
      );
      const isItself = before !== undefined && !before.equals(own) && before.equals(after ?? own);
      if (isItself) seen.push(before, environment ?? before);
    }
  };
  look();
  const timer = setInterval(look, 20);
  return () => {
    clearInterval(timer);
    return Buffer.concat(seen);
  };
}

function childrenOf(pid: number | string | undefined): string[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
    );
    return children.flatMap((child) => [child, ...childrenOf(child)]);
  } catch {
    return [];
  }
}

function readOrNothing(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
