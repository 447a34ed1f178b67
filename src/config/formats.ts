import { validate as validateCron } from 'node-cron';
import { parseListenAddress } from './listen.ts';
import { parseBitbucketUrl, parseSeiUrl } from './urls.ts';

/** What is wrong with a value of that format, or undefined for a good one. */
export const formats: Readonly<Record<string, (value: string) => string | undefined>> = {
  cron: (value) => (validateCron(value) ? undefined : 'not a cron expression'),
  'listen-address': (value) => (parseListenAddress(value) === undefined ? 'not an address to listen on' : undefined),
  'proxy-host': (value) => (/^[^\s:/@]+$|^\[?[0-9a-fA-F:]+\]?$/.test(value) ? undefined : 'not a host name'),
  'sei-url': (value) => problemOf(parseSeiUrl(value)),
  'bitbucket-url': (value) => problemOf(parseBitbucketUrl(value)),
};

function problemOf(parsed: { problem: string } | { url: string }): string | undefined {
  return 'problem' in parsed ? parsed.problem : undefined;
}
