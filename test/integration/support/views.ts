import { request } from 'node:http';
import { formatStatus } from '../../../src/commands/status-display.ts';
import type { StatusReport } from '../../../src/ops/status-report.ts';

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function ask(port: number, path: string, { method = 'GET', headers = {} }: AskOptions = {}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asking.on('error', reject).end();
  });
}

/** What one view says: whether work can go on, and which parts fail, by the words for people. */
interface View {
  readonly ready: boolean;
  readonly failing: readonly string[];
}

export interface Views {
  readonly live: boolean;
  readonly json: View;
  readonly readyz: View;
  readonly metrics: View;
  readonly page: View;
  readonly status: View;
}

/**
 * All views of a satellite, each read as its reader would read it.
 *
 * @param status what `satellite status` prints; undefined: made here of `/status.json`
 */
export async function viewsOf(port: number, status?: string): Promise<Views> {
  const [livez, readyz, metrics, json, page] = await Promise.all(
    ['/livez', '/readyz', '/metrics', '/status.json', '/'].map((path) => ask(port, path)),
  );
  const report = JSON.parse(json?.body ?? '') as StatusReport;
  const text = status ?? formatStatus(report, { unicode: true, colour: false });
  const titles = new Map(report.parts.map(({ part, title }) => [part as string, title]));
  return {
    live: livez?.status === 200 && /^satellite_live 1$/m.test(metrics?.body ?? ''),
    json: {
      ready: report.ready,
      failing: sorted(
        report.parts.filter(({ state }) => state === 'failing').map((it) => name(it.title, it.integration)),
      ),
    },
    readyz: {
      ready: readyz?.status === 200,
      failing: sorted(
        matches(readyz?.body, /^(.+?)(?: \(integration (.+?)\))?: failing since \S+: [A-Z_]+: /gm).map(
          ([, title, id]) => name(title, id),
        ),
      ),
    },
    metrics: {
      ready: /^satellite_ready 1$/m.test(metrics?.body ?? ''),
      failing: sorted(
        matches(metrics?.body, /^satellite_part_failing\{part="(.*?)",integration="(.*?)"\} 1$/gm).map(([, part, id]) =>
          name(titles.get(part ?? ''), id === '' ? undefined : id),
        ),
      ),
    },
    page: {
      ready: /<section class="hero (?:good"|warn".*\n<h1[^>]*>(?:<svg.*<\/svg>)?Working, with gaps)/.test(
        page?.body ?? '',
      ),
      failing: sorted(
        matches(page?.body, /<li>\n<div class="head"><h3>(.+?)(?: · integration (.+?))?<\/h3>/g).map(([, title, id]) =>
          name(title, id),
        ),
      ),
    },
    status: {
      ready: /^satellite .*: ready$/m.test(text),
      failing: sorted(
        matches(text, /^ {2}(?:✗|FAIL) (.+?)(?:, integration (.+?))?, for /gm).map(([, title, id]) => name(title, id)),
      ),
    },
  };
}

function matches(text: string | undefined, pattern: RegExp): RegExpMatchArray[] {
  return [...(text ?? '').matchAll(pattern)];
}

function name(title: string | undefined, integration: string | undefined): string {
  return integration === undefined ? String(title) : `${title} ${integration}`;
}

function sorted(names: readonly string[]): readonly string[] {
  return [...names].sort();
}
