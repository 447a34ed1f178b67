import { type AddressFault, type HttpUrl, isReadable, parseHttpUrl } from './http-url.ts';

export interface BitbucketUrl {
  /** Base URL with the context path, without a trailing slash. */
  readonly url: string;
  /** `KEY/slug` when it was the address of one repository. */
  readonly repo?: string;
  /** The key when it was the address of a project. */
  readonly project?: string;
  /** Something behind the base was dropped. */
  readonly shortened: boolean;
  readonly hasLogin: boolean;
  /** The credentials would cross a network in clear text. */
  readonly readable: boolean;
}

/** Pages of Bitbucket's own that an address may have been copied from; the context path ends before them. */
const PAGES = new Set([
  'dashboard',
  'login',
  'admin',
  'profile',
  'account',
  'plugins',
  'mvc',
  'repos',
  'about',
  'getting-started',
  'status',
  'v1',
]);

/** What people paste as the address of their server: base, REST root, project and repository pages, clone addresses. */
export function parseBitbucketUrl(text: string): BitbucketUrl | AddressFault {
  const url = parseHttpUrl(text);
  if ('problem' in url) return url;
  if (/(?:^|\.)bitbucket\.org$/.test(url.hostname)) {
    return {
      problem: 'bitbucket.org is Bitbucket Cloud, which Harness reads by itself, without a satellite',
      expected: 'the address of your own Bitbucket Data Center or Server',
    };
  }
  const found = placeIn(url.segments);
  if (found.end === url.segments.length && url.segments.at(-1)?.endsWith('.git')) {
    return { problem: 'the address of a git repository', suggestion: url.origin };
  }
  return resultOf(url, found);
}

interface Place {
  /** How many segments belong to the context path. */
  readonly end: number;
  readonly repo?: string;
  readonly project?: string;
}

function placeIn(segments: readonly string[]): Place {
  for (const [end, segment] of segments.entries()) {
    const [first, second, third] = segments.slice(end + 1);
    if (segment === 'projects' || segment === 'users') return { end, ...namedBy(segment, first, second, third) };
    if (segment === 'scm' && first !== undefined && second !== undefined && first !== 'projects') {
      return { end, repo: `${keyOf(first)}/${second.replace(/\.git$/, '')}` };
    }
    if (segment === 'rest') return { ...placeIn(segments.slice(end + 1)), end };
    if (PAGES.has(segment)) return { end };
  }
  return { end: segments.length };
}

function namedBy(
  kind: string,
  name: string | undefined,
  repos: string | undefined,
  slug: string | undefined,
): Omit<Place, 'end'> {
  if (name === undefined) return {};
  const project = kind === 'users' ? `~${name}` : keyOf(name);
  return repos === 'repos' && slug !== undefined ? { repo: `${project}/${slug}` } : { project };
}

/** Keys are upper case, in clone addresses lower case; a personal project is the user's name as it is. */
function keyOf(name: string): string {
  return name.startsWith('~') ? name : name.toUpperCase();
}

function resultOf(url: HttpUrl, { end, repo, project }: Place): BitbucketUrl {
  return {
    url: [url.origin, ...url.segments.slice(0, end).map(encodeURIComponent)].join('/'),
    shortened: end < url.segments.length,
    hasLogin: url.hasLogin,
    readable: isReadable(url),
    ...(repo !== undefined && { repo }),
    ...(project !== undefined && { project }),
  };
}
