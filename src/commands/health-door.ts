import type { ListenAddress } from '../config/config.ts';
import { toSatelliteError } from '../errors.ts';
import { HealthServer } from '../ops/health-server.ts';
import type { Logger } from '../ops/logger.ts';
import type { Monitor } from '../ops/monitor.ts';
import type { Redactor } from '../ops/redact.ts';
import { noteServing } from '../ops/serving.ts';

/** What is wanted of the door. */
export interface DoorPlace {
  /** Undefined: it is not to be open. */
  readonly listen?: ListenAddress;
  /** Where it is written down where the satellite can be asked. */
  readonly dataDir: string;
  /** The path of the configuration. */
  readonly config: string;
}

interface Open {
  readonly server: HealthServer;
  readonly address: ListenAddress;
}

const defaultRetry = { firstMs: 2_000, longestMs: 60_000 };

/**
 * Where the satellite can be looked at, kept open over reloads as long as the address stays.
 *
 * closed → `open` → open → `open` with another address → open there → disposed of. Where an address cannot be had, it
 * stays open where it was, if it was, and the new one is tried again until it can be had or another is wanted. In each
 * state the data directory says where it is open; what a crash leaves there names a process that is no more.
 */
export class HealthDoor implements AsyncDisposable {
  readonly #monitor: Monitor;
  readonly #redactor: Redactor;
  readonly #retry: typeof defaultRetry;
  #open: Open | undefined;
  #place: DoorPlace | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** One change after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(monitor: Monitor, redactor: Redactor, retry = defaultRetry) {
    this.#monitor = monitor;
    this.#redactor = redactor;
    this.#retry = retry;
  }

  /**
   * Where the address cannot be had, that is an error in the log and no reason to stop: the work counts for more, and who
   * watches it finds nobody there.
   */
  async open(place: DoorPlace, logger: Logger): Promise<void> {
    await this.#inTurn(() => this.#move(place, logger, this.#retry.firstMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inTurn(async () => {
      await this.#close();
      this.#note(undefined);
    });
  }

  async #inTurn(change: () => Promise<void>): Promise<void> {
    clearTimeout(this.#timer);
    const before = this.#changing;
    const mine = before.then(() => {
      clearTimeout(this.#timer);
      return change();
    });
    this.#changing = mine.catch(() => undefined);
    await mine;
  }

  async #move(place: DoorPlace, logger: Logger, retryMs: number, isRetry = false): Promise<void> {
    if (this.#place?.dataDir !== place.dataDir) this.#note(undefined);
    this.#place = place;
    const { listen } = place;
    const hasMoved = !isSame(listen, this.#open?.address);
    try {
      if (hasMoved) await this.#moveTo(listen);
      this.#note(this.#open);
      if (hasMoved && listen !== undefined) {
        const { host } = listen;
        logger.info('Health, metrics and the status page are served', { host, port: this.#open?.server.port });
      }
    } catch (thrown) {
      const { code, message, hint } = toSatelliteError(thrown);
      const at = this.#open === undefined ? 'nowhere' : `${this.#open.address.host}:${this.#open.address.port}`;
      const fields = { code, error: message, hint, at };
      if (isRetry) logger.debug('Health and metrics are still not served where they should be', fields);
      else logger.error('Health and metrics are not served where they should be; it is tried again', fields);
      this.#note(this.#open);
      const nextMs = Math.min(retryMs * 2, this.#retry.longestMs);
      const again = () => void this.#inTurn(() => this.#move(place, logger, nextMs, true));
      this.#timer = setTimeout(again, retryMs).unref();
    }
  }

  /** @throws SatelliteError `LISTEN_FAILED`: it is as open as it was before */
  async #moveTo(listen: ListenAddress | undefined): Promise<void> {
    const before = this.#open?.address;
    // Two addresses with one port may be in each other's way: the old one has to go first.
    if (listen === undefined || listen.port === before?.port) await this.#close();
    if (listen === undefined) return;
    try {
      const server = await this.#listen(listen);
      await this.#close();
      this.#open = { server, address: listen };
    } catch (error) {
      if (this.#open === undefined && before !== undefined) {
        const server = await this.#listen(before).catch(() => undefined);
        this.#open = server && { server, address: before };
      }
      throw error;
    }
  }

  #listen(address: ListenAddress): Promise<HealthServer> {
    return HealthServer.listen(address, this.#monitor, this.#redactor);
  }

  async #close(): Promise<void> {
    await this.#open?.server.close();
    this.#open = undefined;
  }

  /** Where it cannot be written down, who asks looks at the address of the configuration. */
  #note(open: Open | undefined): void {
    if (this.#place === undefined) return;
    const port = open?.server.port;
    const { instance } = this.#monitor;
    try {
      const { dataDir, config } = this.#place;
      noteServing(dataDir, open && port ? { instance, host: open.address.host, port, config } : undefined);
    } catch {
      return;
    }
  }
}

function isSame(one: ListenAddress | undefined, other: ListenAddress | undefined): boolean {
  return one?.host === other?.host && one?.port === other?.port;
}
