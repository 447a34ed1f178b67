import { type ExecFileException, execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** What `buildah inspect` says of an image, as far as it is looked at. */
export interface ImageFacts {
  readonly Docker: {
    readonly config: {
      readonly User: string;
      readonly Env: readonly string[];
      readonly Entrypoint: readonly string[];
      readonly Cmd: readonly string[];
      readonly WorkingDir: string;
      readonly Volumes: Readonly<Record<string, object>>;
      readonly Labels: Readonly<Record<string, string>>;
      readonly Healthcheck?: { readonly Test: readonly string[]; readonly Interval: number; readonly Timeout: number };
    };
  };
}

/** Debian's buildah with a storage of its own below `folder`: nothing is seen of other images, nothing is left there. */
export class Buildah {
  readonly #storage: readonly string[];
  readonly #env: NodeJS.ProcessEnv;

  constructor(folder: string) {
    const inFolder = (name: string) => {
      mkdirSync(join(folder, name), { recursive: true });
      return join(folder, name);
    };
    // With overlay, a build inside of a container needs fuse; vfs copies and works everywhere.
    this.#storage = ['--storage-driver', 'vfs', '--root', inFolder('storage'), '--runroot', inFolder('run')];
    this.#env = { ...process.env, BUILDAH_ISOLATION: 'chroot', TMPDIR: inFolder('tmp') };
  }

  /**
   * @returns standard output, without the line's end
   * @throws Error with the last of what it said
   */
  run(args: readonly string[], timeoutMs = 60_000): Promise<string> {
    const options = { env: this.#env, timeout: timeoutMs, maxBuffer: 64 * 2 ** 20 };
    return new Promise((resolve, reject) => {
      execFile('buildah', [...this.#storage, ...args], options, (error: ExecFileException | null, stdout, stderr) => {
        if (error === null) resolve(stdout.trim());
        else reject(new Error(`buildah ${args[0]}: ${lastLines(`${stdout}\n${stderr}`)}`));
      });
    });
  }

  /** The image of a folder as it is. */
  async imageOf(folder: string, name: string): Promise<void> {
    const container = await this.run(['from', 'scratch']);
    await this.run(['copy', container, folder, '/']);
    await this.run(['config', '--env', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', container]);
    await this.run(['commit', '--rm', container, name]);
  }

  async build(options: {
    readonly context: string;
    readonly name: string;
    readonly buildArgs: Readonly<Record<string, string>>;
  }): Promise<void> {
    const buildArgs = Object.entries(options.buildArgs).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
    // OCI's own format has no health check.
    const format = ['--format', 'docker', '--pull=never', '--no-cache', '--network', 'host'];
    await this.run(['build', ...format, ...buildArgs, '--tag', options.name, options.context], 5 * 60_000);
  }

  async inspect(image: string): Promise<ImageFacts> {
    return JSON.parse(await this.run(['inspect', '--type', 'image', image])) as ImageFacts;
  }

  async sizeBytes(image: string): Promise<number> {
    const [facts] = JSON.parse(await this.run(['images', '--json', image])) as { readonly size: string }[];
    const [, number = '', unit = ''] = /^([\d.]+) ?(\w+)$/.exec(facts?.size ?? '') ?? [];
    return Number(number) * 1000 ** ['B', 'KB', 'MB', 'GB'].indexOf(unit.toUpperCase());
  }

  /** A container of an image: the folder of its root. */
  async mount(image: string): Promise<string> {
    return this.run(['mount', await this.run(['from', '--pull-never', image])]);
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-20).join('\n');
}
