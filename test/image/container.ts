import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageFacts } from './buildah.ts';

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ContainerOptions {
  /** The image's root; made a read-only one. */
  readonly root: string;
  readonly config: ImageFacts['Docker']['config'];
  /** The one volume: what lies at /var/lib/satellite. */
  readonly volume: string;
  /** What lies at /levelops/config.yml. */
  readonly configFile: string;
}

/**
 * As an engine does with `--read-only --cap-drop ALL --security-opt no-new-privileges --network host`: mounts and processes
 * of its own, the program as process 1, nothing writable but the volume, and neither a /tmp nor a /dev beyond the usual.
 */
const start = `
set -e
root=$1 volume=$2 file=$3
shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
for device in null zero random urandom; do mount --bind "/dev/$device" "$root/dev/$device"; done
mount --bind "$volume" "$root/var/lib/satellite"
mount --bind "$file" "$root/levelops/config.yml"
mount -o remount,bind,ro "$root/levelops/config.yml"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid \\
  chroot --userspec="$USER_AND_GROUP" --groups= "$root" "$@"
`;

const ownNamespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child'];

/** A command in the image, with its user and environment. */
export class Container {
  readonly #options: ContainerOptions;

  constructor(options: ContainerOptions) {
    this.#options = options;
    const { root } = options;
    // An engine makes the places of its mounts, too.
    mkdirSync(join(root, 'levelops'), { recursive: true });
    for (const place of [
      'levelops/config.yml',
      ...['null', 'zero', 'random', 'urandom'].map((name) => `dev/${name}`),
    ]) {
      if (!existsSync(join(root, place))) writeFileSync(join(root, place), '');
    }
  }

  /** `docker run IMAGE ARGS`: the entry point with arguments; the image's own without any. */
  start(args: readonly string[]): RunningContainer {
    const { Entrypoint, Cmd } = this.#options.config;
    return this.startInstead([...Entrypoint, ...(args.length === 0 ? Cmd : args)]);
  }

  /** `docker run --entrypoint`. */
  startInstead(command: readonly string[]): RunningContainer {
    const { root, volume, configFile, config } = this.#options;
    const script = ['sh', '-c', start, 'sh', root, volume, configFile, ...this.#environment(), ...command];
    return new RunningContainer(
      spawn(ownNamespaces[0] as string, [...ownNamespaces.slice(1), ...script], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env.PATH, USER_AND_GROUP: config.User },
      }),
    );
  }

  async run(args: readonly string[]): Promise<Finished> {
    return this.start(args).finished();
  }

  async runInstead(command: readonly string[]): Promise<Finished> {
    return this.startInstead(command).finished();
  }

  /** `docker exec`: within a container that runs. */
  async exec(running: RunningContainer, command: readonly string[]): Promise<Finished> {
    const [uid = '', gid = ''] = this.#options.config.User.split(':');
    const target = ['--target', String(running.pid), '--mount', '--pid', '--root', '--setuid', uid, '--setgid', gid];
    const child = spawn('nsenter', [...target, ...this.#environment(), ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new RunningContainer(child).finished();
  }

  #environment(): string[] {
    const { Env, WorkingDir } = this.#options.config;
    return ['/usr/bin/env', '-i', '-C', WorkingDir, ...Env];
  }
}

const timeoutMs = 60_000;

export class RunningContainer {
  readonly #child: ChildProcess;
  readonly #output = { stdout: '', stderr: '' };
  readonly #closed: Promise<unknown[]>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close');
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this.#output[name] += text;
      });
    }
  }

  /** Of its process 1, as it is seen from outside. */
  get pid(): number {
    const { pid, exitCode } = this.#child;
    if (exitCode !== null) throw new Error(`it has ended with exit code ${exitCode}\n${this.output}`);
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
  }

  get output(): string {
    return this.#output.stdout + this.#output.stderr;
  }

  /** The largest that it was, as the kernel counts it. */
  get peakRssBytes(): number {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]) * 1024;
  }

  /** As `docker stop` does. */
  async stop(): Promise<Finished> {
    process.kill(this.pid, 'SIGTERM');
    return this.finished();
  }

  /** Killed where it takes too long; the exit code is null then. */
  async finished(): Promise<Finished> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    const [exitCode] = (await this.#closed) as [number | null];
    clearTimeout(timer);
    return { exitCode, ...this.#output };
  }
}
