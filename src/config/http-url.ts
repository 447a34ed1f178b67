/** Why a text is no address to use, what would be one, and what was probably meant. */
export interface AddressFault {
  readonly problem: string;
  readonly expected: string;
  /** Made of the text itself: not for texts that hold a password or come from the environment. */
  readonly suggestion?: string;
}

export interface HttpUrl {
  /** `https://host:port`, in lower case. */
  readonly origin: string;
  readonly hostname: string;
  readonly secure: boolean;
  /** Of the path, decoded, without empty ones. */
  readonly segments: readonly string[];
  /** `user:password@` stood before the host; it is dropped. */
  readonly hasLogin: boolean;
}

/** An http or https address as people write it, or what is wrong with it. */
export function parseHttpUrl(text: string, expected: string): HttpUrl | AddressFault {
  const fault = faultOfText(text, expected);
  if (fault) return fault;
  if (!URL.canParse(text)) return { problem: /:\d{5,}/.test(text) ? 'the port is not a port' : 'not a URL', expected };
  const url = new URL(text);
  return {
    origin: url.origin,
    hostname: url.hostname,
    secure: url.protocol === 'https:',
    segments: url.pathname
      .split('/')
      .filter((segment) => segment !== '')
      .map(decode),
    hasLogin: url.username !== '' || url.password !== '',
  };
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}

function faultOfText(text: string, expected: string): AddressFault | undefined {
  if (/\s/.test(text)) return { problem: 'there is a space in this URL', expected };
  if (text.includes('\\'))
    return { problem: 'there are backslashes in this URL', expected, suggestion: text.replaceAll('\\', '/') };
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? [];
  if (scheme === undefined) return faultOfStart(text, expected);
  if (/^https?$/i.test(scheme)) return undefined;
  const rest = text.slice(scheme.length);
  if (/^(?:ssh|git)$/i.test(scheme))
    return sshAddress(text.replace(/^\w+:\/\/(?:[^@/]*@)?([^/:]*).*$/, 'https://$1'), expected);
  return {
    problem: 'only http and https are spoken here',
    expected,
    ...(/^h?t{1,3}p{1,2}s?$/i.test(scheme) && { suggestion: `https${rest}` }),
  };
}

function faultOfStart(text: string, expected: string): AddressFault {
  const scp = /^[\w.-]+@([\w.-]+):/.exec(text);
  if (scp) return sshAddress(`https://${scp[1]}`, expected);
  const broken = /^(https?)(?::\/?|;\/\/|\/\/|:\/\/\/)(?=[^/])/i.exec(text);
  if (broken) {
    return { problem: '"://" is not complete', expected, suggestion: `${broken[1]}://${text.slice(broken[0].length)}` };
  }
  if (/^(?:[\w-]+\.)*[\w-]+(?::\d+)?(?:\/|$)/.test(text)) {
    return { problem: 'the scheme is missing', expected, suggestion: `https://${text}` };
  }
  return { problem: 'not a URL', expected };
}

function sshAddress(suggestion: string, expected: string): AddressFault {
  return { problem: 'an ssh clone address; the satellite reads over HTTP', expected, suggestion };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
