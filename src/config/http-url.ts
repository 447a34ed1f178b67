/** Why a text is no address to use, what would be one where the key's own words do not say it, and what was meant. */
export interface AddressFault {
  readonly problem: string;
  readonly expected?: string;
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
export function parseHttpUrl(text: string): HttpUrl | AddressFault {
  const fault = faultOfText(text);
  if (fault) return fault;
  if (!URL.canParse(text)) return { problem: /:\d{5,}/.test(text) ? 'the port is not a port' : 'not a URL' };
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

/** Whether what is sent there crosses a network in clear text. */
export function isReadable({ secure, hostname }: HttpUrl): boolean {
  return !secure && !isLoopback(hostname);
}

function faultOfText(text: string): AddressFault | undefined {
  if (/\s/.test(text)) return { problem: 'there is a space in this URL' };
  if (text.includes('\\'))
    return { problem: 'there are backslashes in this URL', suggestion: text.replaceAll('\\', '/') };
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? [];
  if (scheme === undefined) return faultOfStart(text);
  if (/^https?$/i.test(scheme)) return undefined;
  const rest = text.slice(scheme.length);
  if (/^(?:ssh|git)$/i.test(scheme)) return sshAddress(text.replace(/^\w+:\/\/(?:[^@/]*@)?([^/:]*).*$/, 'https://$1'));
  return {
    problem: 'only http and https are spoken here',
    ...(/^h?t{1,3}p{1,2}s?$/i.test(scheme) && { suggestion: `https${rest}` }),
  };
}

function faultOfStart(text: string): AddressFault {
  const scp = /^[\w.-]+@([\w.-]+):/.exec(text);
  if (scp) return sshAddress(`https://${scp[1]}`);
  const broken = /^(https?)(?::\/?|;\/\/|\/\/)(?=[^/])/i.exec(text);
  if (broken) {
    return { problem: '"://" is not complete', suggestion: `${broken[1]}://${text.slice(broken[0].length)}` };
  }
  if (/^(?:[\w-]+\.)*[\w-]*[A-Za-z][\w-]*(?::\d+)?(?:\/|$)/.test(text)) {
    return { problem: 'the scheme is missing', suggestion: `https://${text}` };
  }
  return { problem: 'not a URL' };
}

function sshAddress(suggestion: string): AddressFault {
  return { problem: 'an ssh clone address; the satellite reads over HTTP', suggestion };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
