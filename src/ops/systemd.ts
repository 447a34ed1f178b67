import { execFile } from 'node:child_process';
import type { Monitor } from './monitor.ts';
import { reasonsAgainst } from './status-report.ts';

/** Where systemd gives no interval, the state it shows is still kept current. */
const statusIntervalMs = 30_000;

export interface SystemdNotifier {
  /** The service is up; whether SEI and Bitbucket are is not systemd's to wait for. */
  ready(): void;
  /** It is being stopped: nothing is told any more. */
  stopping(): void;
}

/**
 * Tells systemd that the service is up, how it is, and that its loop turns: where it does not, systemd starts it anew.
 * Node.js has no datagrams of the Unix kind, so systemd's own program sends them. Without systemd it does nothing.
 */
export function systemdNotifier(env: NodeJS.ProcessEnv, monitor: Monitor): SystemdNotifier {
  if (!env.NOTIFY_SOCKET) return { ready: () => undefined, stopping: () => undefined };
  const isWatched = env.WATCHDOG_USEC && (!env.WATCHDOG_PID || Number(env.WATCHDOG_PID) === process.pid);
  const intervalMs = isWatched ? Number(env.WATCHDOG_USEC) / 2_000 : statusIntervalMs;
  let timer: NodeJS.Timeout | undefined;
  const tell = (...assignments: string[]) => {
    const report = monitor.report();
    const [first] = reasonsAgainst(report);
    const status = report.ready ? 'ready' : `not ready: ${first ?? ''}`;
    const beat = isWatched && report.live ? ['WATCHDOG=1'] : [];
    notify([...assignments, ...beat, `STATUS=${status.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200)}`], env);
  };
  return {
    ready: () => {
      tell('READY=1');
      clearInterval(timer);
      timer = setInterval(() => tell(), intervalMs);
      timer.unref();
    },
    stopping: () => {
      clearInterval(timer);
      notify(['STOPPING=1'], env);
    },
  };
}

/** systemd needs no word of what fails here: it notices by what it does not hear. */
function notify(assignments: readonly string[], { NOTIFY_SOCKET, PATH }: NodeJS.ProcessEnv): void {
  execFile('systemd-notify', [...assignments], { env: { NOTIFY_SOCKET, PATH }, timeout: 5_000 }, () => undefined);
}
