import { validate as validateCron } from 'node-cron';
import { parseBitbucketUrl } from './bitbucket-url.ts';
import type { AddressFault } from './http-url.ts';
import { parseListenAddress } from './listen.ts';
import { pathFault } from './path-fault.ts';
import { parseSeiUrl } from './sei-url.ts';

/** The formats that the schema names: what is wrong with a value, or undefined for a good one. */
export const formats: Readonly<Record<string, (value: string) => AddressFault | undefined>> = {
  cron: cronFault,
  'listen-address': listenFault,
  path: pathFault,
  'proxy-host': proxyHostFault,
  'sei-url': (value) => onlyFault(parseSeiUrl(value)),
  'bitbucket-url': (value) => onlyFault(parseBitbucketUrl(value)),
};

function onlyFault(parsed: AddressFault | { readonly url: string }): AddressFault | undefined {
  return 'problem' in parsed ? parsed : undefined;
}

const CRON_FIELDS = ['minute', 'hour', 'day of the month', 'month', 'day of the week'];

function cronFault(value: string): AddressFault | undefined {
  const fields = value.trim().split(/\s+/);
  // node-cron takes six, the first of them for seconds: `* * * * * *` would scan every second.
  if (fields.length !== CRON_FIELDS.length + 1 && validateCron(value)) return undefined;
  if (fields.length !== CRON_FIELDS.length) {
    const count = fields.length === 1 ? 'one field' : `${fields.length} fields`;
    const rest = fields.slice(1).join(' ');
    const isMeant = fields.length === CRON_FIELDS.length + 1 && fields[0] === '0' && validateCron(rest);
    return { problem: `a cron expression with ${count}`, ...(isMeant && { suggestion: rest }) };
  }
  const wrong = CRON_FIELDS.filter(
    (_name, index) => !validateCron(fields.map((field, at) => (at === index ? field : '*')).join(' ')),
  );
  return {
    problem: `not a cron expression: ${wrong[0] ? `the ${wrong[0]} is wrong` : 'the fields do not go together'}`,
  };
}

function listenFault(value: string): AddressFault | undefined {
  if (parseListenAddress(value) !== undefined) return undefined;
  return {
    problem: 'not an address to listen on',
    ...(/^\d{1,5}$/.test(value) && { suggestion: `127.0.0.1:${value}` }),
  };
}

function proxyHostFault(value: string): AddressFault | undefined {
  if (/^[\w.-]+$|^\[[0-9a-fA-F:.]+\]$|^[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(value)) return undefined;
  if (/^[a-z0-9]+:\/\//i.test(value))
    return { problem: 'the host comes without a scheme, the port has a key of its own' };
  if (/:\d+\/?$/.test(value)) return { problem: 'the port has a key of its own' };
  return { problem: 'not a host name' };
}
