import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { listen, type TestServer } from './servers.ts';

export interface SocksServer extends TestServer {
  /** Where it was asked to connect to, with the kind of address: a name, or an address of version 4 or 6. */
  readonly destinations: readonly string[];
}

/**
 * A SOCKS5 proxy (RFC 1928, 1929) for CONNECT.
 *
 * @param options.login `user:password` that is wanted; undefined: nobody has to log in
 * @param options.reply the code to answer instead of connecting: 1 failure, 2 not allowed, 5 refused
 */
export async function startSocksServer(options: { login?: string; reply?: number } = {}): Promise<SocksServer> {
  const destinations: string[] = [];
  const serve = async (socket: Socket) => {
    const read = reader(socket);
    const [, methodCount = 0] = await read(2);
    const methods = await read(methodCount);
    const method = options.login === undefined ? 0 : 2;
    if (!methods.includes(method)) return socket.end(Buffer.from([5, 0xff]));
    socket.write(Buffer.from([5, method]));
    if (method === 2) {
      const [, userLength = 0] = await read(2);
      const user = (await read(userLength)).toString();
      const [passwordLength = 0] = await read(1);
      const isRight = `${user}:${(await read(passwordLength)).toString()}` === options.login;
      socket.write(Buffer.from([1, isRight ? 0 : 1]));
      if (!isRight) return socket.end();
    }
    const [, , , kind] = await read(4);
    const host = kind === 3 ? (await read((await read(1))[0] ?? 0)).toString() : await readAddress(read, kind === 4);
    const port = (await read(2)).readUInt16BE();
    destinations.push(`${kind === 3 ? 'name' : 'address'} ${host}:${port}`);
    const reply = (code: number) => socket.write(Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]));
    if (options.reply !== undefined) return reply(options.reply) && socket.end();
    const onward = connect({ host, port });
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
    await once(onward, 'connect');
    reply(0);
    return onward.pipe(socket).pipe(onward);
  };
  const server = createServer((socket) => {
    serve(socket).catch(() => socket.destroy());
  });
  return { ...(await listen(server)), destinations };
}

type Read = (bytes: number) => Promise<Buffer>;

function reader(socket: Socket): Read {
  return async (bytes) => {
    for (;;) {
      const chunk: Buffer | null = bytes === 0 ? Buffer.alloc(0) : socket.read(bytes);
      if (chunk !== null) return chunk;
      await once(socket, 'readable');
      if (socket.readableEnded) throw new Error('ended early');
    }
  };
}

async function readAddress(read: Read, isVersion6: boolean): Promise<string> {
  const bytes = await read(isVersion6 ? 16 : 4);
  return isVersion6 ? (bytes.toString('hex').match(/.{4}/g) ?? []).join(':') : bytes.join('.');
}
