import type { ListenAddress } from '../config/config.ts';
import { toSatelliteError } from '../errors.ts';
import { HealthServer } from '../ops/health-server.ts';
import type { Logger } from '../ops/logger.ts';
import type { Monitor } from '../ops/monitor.ts';

/**
 * Where the satellite can be looked at, kept open over reloads as long as the address stays.
 *
 * closed → `open` → open → `open` with another address → open there, or still here where that one cannot be had → disposed of.
 */
export class HealthDoor implements AsyncDisposable {
  readonly #monitor: Monitor;
  #server: HealthServer | undefined;
  #address: ListenAddress | undefined;

  constructor(monitor: Monitor) {
    this.#monitor = monitor;
  }

  /**
   * @param address undefined: it is not to be open
   * @throws SatelliteError `LISTEN_FAILED` at the first start: monitoring that is missing without a word would be found
   *   missing on the day that it is needed. Later the work that is under way counts for more.
   */
  async open(address: ListenAddress | undefined, logger: Logger): Promise<void> {
    if (isSame(address, this.#address)) return;
    const isFirst = this.#server === undefined;
    try {
      const server = address && (await HealthServer.listen(address, this.#monitor));
      await this.#server?.close();
      this.#server = server;
      this.#address = address;
    } catch (thrown) {
      if (isFirst) throw thrown;
      const { code, message, hint } = toSatelliteError(thrown);
      logger.error('Health and metrics stay where they were', { code, error: message, hint });
      return;
    }
    if (address !== undefined) {
      logger.info('Health, metrics and the status page are served', { host: address.host, port: this.#server?.port });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
    this.#address = undefined;
  }
}

function isSame(one: ListenAddress | undefined, other: ListenAddress | undefined): boolean {
  return one?.host === other?.host && one?.port === other?.port;
}
