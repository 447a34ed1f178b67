import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../simulators/git/random.ts';

/**
 * A line between two programs on loopback that is as bad as it is told to be: connections are refused, reset, cut in the
 * middle of what they carry, and slow. Quiet → `disturb` → disturbing → `calm` → quiet; what is lost stays lost.
 */
export class FaultProxy implements AsyncDisposable {
  readonly #target: URL;
  readonly #random: Random;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isDisturbing = false;
  /** Faults so far. */
  faults = 0;

  private constructor(target: string, random: Random) {
    this.#target = new URL(target);
    this.#random = random;
    this.#server = createServer((client) => this.#accept(client));
  }

  static async start(target: string, random: Random): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, random);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** What to say instead of the target's own url. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}${this.#target.pathname.replace(/\/$/, '')}`;
  }

  disturb(): void {
    this.#isDisturbing = true;
  }

  calm(): void {
    this.#isDisturbing = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#strikes(30)) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: Number(this.#target.port), host: this.#target.hostname });
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
    }
    void this.#carry(client, server);
    void this.#carry(server, client);
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        if (this.#strikes(15)) await delay(this.#random.below(400));
        if (this.#strikes(60)) {
          to.write(chunk.subarray(0, this.#random.below(chunk.length)));
          await delay(5);
          if (this.#random.below(2) === 0) to.resetAndDestroy();
          return;
        }
        // Whoever has left does not hear the rest, and is not heard any more.
        if (to.destroyed || from.destroyed) break;
        if (!to.write(chunk)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
      }
    } catch {
      // The one end is gone: so is the other.
    } finally {
      to.destroySoon();
      from.destroySoon();
    }
  }

  /** Once in `every` times, while it is disturbing. */
  #strikes(every: number): boolean {
    if (!this.#isDisturbing || this.#random.below(every) > 0) return false;
    this.faults++;
    return true;
  }
}
