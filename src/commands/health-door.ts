import type { ListenAddress } from '../config/config.ts';
import { toSatelliteError } from '../errors.ts';
import { HealthServer } from '../ops/health-server.ts';
import type { Logger } from '../ops/logger.ts';
import type { Monitor } from '../ops/monitor.ts';
import type { Redactor } from '../ops/redact.ts';

/**
 * Where the satellite can be looked at, kept open over reloads as long as the address stays.
 *
 * closed → `open` → open → `open` with another address → open there, or still here where that one cannot be had → disposed of.
 */
export class HealthDoor implements AsyncDisposable {
  readonly #monitor: Monitor;
  readonly #redactor: Redactor;
  #server: HealthServer | undefined;
  #address: ListenAddress | undefined;

  constructor(monitor: Monitor, redactor: Redactor) {
    this.#monitor = monitor;
    this.#redactor = redactor;
  }

  /**
   * Where the address cannot be had, that is an error in the log and no reason to stop: the work counts for more, and who
   * watches it finds nobody there.
   *
   * @param address undefined: it is not to be open
   */
  async open(address: ListenAddress | undefined, logger: Logger): Promise<void> {
    if (isSame(address, this.#address)) return;
    try {
      const server = address && (await HealthServer.listen(address, this.#monitor, this.#redactor));
      await this.#server?.close();
      this.#server = server;
      this.#address = address;
    } catch (thrown) {
      const { code, message, hint } = toSatelliteError(thrown);
      const at = this.#address === undefined ? 'nowhere' : `${this.#address.host}:${this.#address.port}`;
      logger.error('Health and metrics are not served where they should be', { code, error: message, hint, at });
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
