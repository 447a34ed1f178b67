import { setTimeout as delay } from 'node:timers/promises';
import type { RefusalKind } from '../../simulators/bitbucket/catalogue.ts';
import type { FaultRule } from '../../simulators/bitbucket/faults.ts';
import { type ScratchCommit, ScratchRepository } from '../../simulators/bitbucket/scratch-repository.ts';
import { type BitbucketFault, type Ends, type Scene, victim } from '../fault-scene.ts';
import type { LogLine } from '../satellite.ts';

const commits = 'commits\\?';
const diff = 'diff\\?';
const eitherDiff = '(diff\\?|commits/[0-9a-f]{40}/diff)';
const html = '<html><body><h1>Sign in</h1></body></html>';

/** Bitbucket's own way of saying no (bitbucket-dc-rest §2). */
function refusal(status: number, exception: string, headers: Record<string, string> = {}): Omit<FaultRule, 'match'> {
  const exceptionName = `com.atlassian.bitbucket.${exception}`;
  const body = JSON.stringify({ errors: [{ context: null, message: 'No.', exceptionName }] });
  return { status, body, headers: { 'Content-Type': 'application/json', ...headers } };
}

function status(
  name: string,
  ends: Ends,
  code: string,
  rule: Omit<FaultRule, 'match'>,
  more: Partial<BitbucketFault> & { readonly tail?: string } = {},
): BitbucketFault {
  const { tail = commits, ...rest } = more;
  return { name, ends, code, arm: (scene) => scene.strike(tail, rule), ...rest };
}

/** Asked again: the job counts it, and at the level `debug` a line says why. */
function again(
  name: string,
  code: string,
  rule: Omit<FaultRule, 'match'>,
  more: Partial<BitbucketFault> & { readonly tail?: string } = {},
): BitbucketFault {
  const { tail = commits, ...rest } = more;
  return { name, ends: 'retry', code, arm: (scene) => scene.strike(tail, { times: 2, ...rule }), ...rest };
}

function throttle(
  name: string,
  headers: () => Record<string, string>,
  more: Partial<BitbucketFault> = {},
): BitbucketFault {
  return {
    name,
    ends: 'throttle',
    code: 'BITBUCKET_THROTTLED',
    arm: ({ world }) => world.bitbucket.fault({ match: /\/repos\//, status: 429, times: 3, headers: headers() }),
    ...more,
  };
}

/** As many may be on their way as Bitbucket refuses one of them. */
const mostInFlight = 4;

/** What the log says of each pause; where it says `real`, that Bitbucket has noticed it, too. */
function pausedFor(fromMs: number, toMs: number, real?: 'real'): NonNullable<BitbucketFault['afterwards']> {
  return ({ world, keeper, wrong }) => {
    const paused = ({ message }: LogLine) => message === 'The crawl pauses';
    const pauses = keeper.lines.filter(paused).map(({ delayMs }) => Number(delayMs));
    const isGood = pauses.length > 0 && pauses.every((ms) => ms >= fromMs && ms <= toMs);
    if (!isGood) wrong(`it paused for ${pauses.join(', ')} ms, not ${fromMs} to ${toMs}`);
    if (real === undefined) return;
    // Health asks whether the server is there, as nobody.
    const list = world.bitbucket.requests.list.filter(({ isAnonymous }) => !isAnonymous);
    const refusedAtMs = list.filter(({ status }) => status === 429).map(({ atMs }) => atMs);
    const hastened = list.filter(({ atMs }) => refusedAtMs.some((ms) => atMs > ms + 300 && atMs < ms + fromMs - 50));
    if (hastened.length > mostInFlight) wrong(`${hastened.length} requests were made in a pause`);
  };
}

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toUTCString();
const middle = (text: string) => text.slice(0, text.length >> 1);
const withoutLastLine = (text: string) => text.replace(/\n[^\n]*\n$/, '\n');
const page = (change: (page: Record<string, unknown>) => object) => (text: string) => {
  const json = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify({ ...json, ...change(json) });
};

const answers: readonly BitbucketFault[] = [
  status('400', 'skip', 'BITBUCKET_REQUEST_REFUSED', refusal(400, 'validation.ArgumentValidationException')),
  status(
    '401 password',
    'stop',
    'BITBUCKET_CREDENTIALS_REFUSED',
    refusal(401, 'auth.IncorrectPasswordAuthenticationException'),
  ),
  status(
    '401 anonymous',
    'stop',
    'BITBUCKET_CREDENTIALS_REFUSED',
    refusal(401, 'auth.AuthenticationRequiredException'),
  ),
  status(
    '401 no licence',
    'stop',
    'BITBUCKET_CREDENTIALS_REFUSED',
    refusal(401, 'auth.NoAccessAuthenticationException'),
    { long: true },
  ),
  status('403 captcha', 'stop', 'BITBUCKET_CAPTCHA', refusal(403, 'auth.CaptchaRequiredAuthenticationException')),
  status(
    '403 captcha by header',
    'stop',
    'BITBUCKET_CAPTCHA',
    { status: 403, headers: { 'X-Authentication-Denied-Reason': 'CAPTCHA_CHALLENGE; login-url=http://127.0.0.1/' } },
    { long: true },
  ),
  {
    name: '401 password when a part has failed before',
    ends: 'stop',
    code: 'BITBUCKET_CREDENTIALS_REFUSED',
    arm: ({ world, strike }) => {
      const refusing = refusal(401, 'auth.IncorrectPasswordAuthenticationException');
      const others = new RegExp(`/repos/(?!${victim}/)[^/]+/${diff}`);
      // In between is a page that others have begun to fill: what has failed waits for it.
      const open = [
        strike(commits, { status: 500, delayMs: 500 }),
        world.bitbucket.fault({ match: others, skip: 3, delayMs: 2_000, ...refusing }),
      ];
      return () => {
        for (const each of open) each();
      };
    },
    afterwards: ({ wrong }, { failures }) => {
      const isTold = ({ message }: { message: string }) =>
        message.includes(victim) && message.includes('BITBUCKET_SERVER_ERROR');
      if (!failures.some(isTold)) wrong('what had failed before is not reported');
    },
  },
  refused('401 permission', 'permission401', 'BITBUCKET_FORBIDDEN'),
  refused('403 scope', 'scope403', 'BITBUCKET_FORBIDDEN'),
  refused('404 repository', 'gone404', 'BITBUCKET_NOT_FOUND'),
  status('404 route', 'skip', 'BITBUCKET_ROUTE_UNKNOWN', {
    status: 404,
    body: '{"message":"HTTP 404 Not Found","status-code":404,"sub-code":-1}',
  }),
  {
    name: '404 route of the raw diff',
    ends: 'nothing',
    arm: (scene) => scene.strike(diff, { status: 404, body: '{"message":"HTTP 404 Not Found","status-code":404}' }),
  },
  status('409', 'skip', 'BITBUCKET_CONFLICT', refusal(409, 'pull.IllegalPullRequestStateException')),
  status('500', 'skip', 'BITBUCKET_SERVER_ERROR', { status: 500 }),
  {
    name: '500 of one raw diff',
    long: true,
    ends: 'nothing',
    arm: (scene) => scene.strike(diff, { status: 500, times: 1 }),
  },
  {
    name: '500 of one diff',
    ends: 'note',
    code: 'BITBUCKET_SERVER_ERROR',
    arm: async (scene) => {
      const id = await new ScratchRepository(scene.repository.gitDir).git('rev-parse', 'main~3');
      scene.alters = new RegExp(`^commit alpha (\\d+/)?${id}: \\.(additions|deletions|files\\.\\d+) is missing`);
      return scene.strike(`(diff\\?until=${id}|commits/${id}/diff)`, { status: 500 });
    },
  },
  status('500 of the pull requests', 'skip', 'BITBUCKET_SERVER_ERROR', { status: 500 }, { tail: 'pull-requests\\?' }),
  status(
    '500 of the activities',
    'skip',
    'BITBUCKET_SERVER_ERROR',
    { status: 500 },
    { tail: 'pull-requests/\\d+/activities', long: true },
  ),
  status('500 of the tags', 'skip', 'BITBUCKET_SERVER_ERROR', { status: 500 }, { tail: 'tags\\?', long: true }),
  status('504 for good', 'skip', 'BITBUCKET_SERVER_ERROR', { status: 504 }, { hurried: true, long: true }),
  status(
    '504 of the diffs for good',
    'skip',
    'BITBUCKET_SERVER_ERROR',
    { status: 504 },
    { tail: eitherDiff, hurried: true },
  ),
  again('501', 'BITBUCKET_SERVER_ERROR', { status: 501 }, { long: true }),
  again('502', 'BITBUCKET_SERVER_ERROR', { status: 502, body: html }, { long: true }),
  again('503', 'BITBUCKET_SERVER_ERROR', { status: 503, headers: { 'Retry-After': '1' } }),
  again('504', 'BITBUCKET_SERVER_ERROR', { status: 504 }, { long: true }),
  throttle('429 in seconds', () => ({ 'Retry-After': '6' }), { afterwards: pausedFor(6_000, 6_000, 'real') }),
  throttle('429 until a date', () => ({ 'Retry-After': inSeconds(7_200) }), {
    hurried: true,
    afterwards: pausedFor(7_000_000, 7_200_000),
  }),
  throttle('429 until a past date', () => ({ 'Retry-After': inSeconds(-3600) }), {
    long: true,
    afterwards: pausedFor(1_000, 10_000, 'real'),
  }),
  throttle('429 without a word', () => ({}), { afterwards: pausedFor(1_000, 10_000, 'real') }),
  throttle('429 for an hour', () => ({ 'Retry-After': '3600' }), {
    hurried: true,
    afterwards: pausedFor(3_600_000, 3_600_000),
  }),
  // A day is the longest.
  throttle('429 for thousands of years', () => ({ 'Retry-After': '99999999999' }), {
    hurried: true,
    afterwards: pausedFor(86_400_000, 86_400_000),
  }),
];

const broken: readonly BitbucketFault[] = [
  again('HTML', 'BITBUCKET_ANSWER_UNREADABLE', { status: 200, body: html }),
  again('empty', 'BITBUCKET_ANSWER_UNREADABLE', { status: 200, body: '' }),
  status(
    'HTML for good',
    'skip',
    'BITBUCKET_ANSWER_UNREADABLE',
    { status: 200, body: html },
    { hurried: true, long: true },
  ),
  again('JSON cut short', 'BITBUCKET_ANSWER_UNREADABLE', { rewrite: middle }),
  again('connection cut', 'BITBUCKET_UNREACHABLE', { truncate: 200 }),
  again('content-length too long', 'BITBUCKET_UNREACHABLE', { contentLength: 50 }),
  again('content-length too short', 'BITBUCKET_UNREACHABLE', { contentLength: -50 }, { long: true }),
  again('reset before', 'BITBUCKET_UNREACHABLE', { reset: 'before' }),
  again('reset in the body', 'BITBUCKET_UNREACHABLE', { reset: 'in-body' }),
  again('diff reset before', 'BITBUCKET_UNREACHABLE', { reset: 'before' }, { tail: diff, long: true }),
  again('diff reset in the body', 'BITBUCKET_DIFF_INCOMPLETE', { reset: 'in-body' }, { tail: diff }),
  again('diff connection cut', 'BITBUCKET_DIFF_INCOMPLETE', { truncate: 40 }, { tail: diff, long: true }),
  again('diff cut short without a sign', 'BITBUCKET_DIFF_INCOMPLETE', { rewrite: withoutLastLine }, { tail: diff }),
  {
    name: 'diff cut short without a sign for good',
    long: true,
    ends: 'retry',
    code: 'BITBUCKET_DIFF_INCOMPLETE',
    hurried: true,
    arm: (scene) => scene.strike(diff, { rewrite: withoutLastLine }),
  },
  again('black hole', 'BITBUCKET_TIMEOUT', { hang: true, times: 1 }, { hurried: true }),
  again('diff black hole', 'BITBUCKET_TIMEOUT', { hang: true, times: 1 }, { hurried: true, tail: diff, long: true }),
  status('black hole for good', 'skip', 'BITBUCKET_TIMEOUT', { hang: true }, { hurried: true, long: true }),
  again('a byte each 200 ms', 'BITBUCKET_TIMEOUT', { drip: 200, times: 1 }, { hurried: true }),
  again(
    'diff a byte each 200 ms',
    'BITBUCKET_TIMEOUT',
    { drip: 200, times: 1 },
    { hurried: true, tail: diff, long: true },
  ),
];

const paging: readonly BitbucketFault[] = [
  status('endless pages of commits', 'skip', 'BITBUCKET_PAGING_BROKEN', { rewrite: page(endless) }),
  status(
    'endless pages of pull requests',
    'skip',
    'BITBUCKET_PAGING_BROKEN',
    { rewrite: page(endless) },
    { tail: 'pull-requests\\?', long: true },
  ),
  status(
    'endless pages of activities',
    'skip',
    'BITBUCKET_PAGING_BROKEN',
    { rewrite: page(endless) },
    { tail: 'pull-requests/\\d+/activities', long: true },
  ),
  status(
    'the same page of commits without end',
    'skip',
    'BITBUCKET_PAGING_BROKEN',
    { rewrite: page(endlessRepeat()) },
    {
      expectations: { mayRepeat: true },
    },
  ),
  status(
    'two pages of commits in turns without end',
    'skip',
    'BITBUCKET_PAGING_BROKEN',
    { rewrite: page(endlessTurns()) },
    { expectations: { mayRepeat: true } },
  ),
  status('nextPageStart repeats', 'skip', 'BITBUCKET_PAGING_BROKEN', {
    rewrite: page(({ start }) => ({ isLastPage: false, nextPageStart: start })),
  }),
  status('nextPageStart is missing', 'skip', 'BITBUCKET_PAGING_BROKEN', {
    rewrite: page(() => ({ isLastPage: false, nextPageStart: null })),
  }),
  {
    name: 'nextPageStart of the repositories repeats',
    ends: 'fail',
    code: 'BITBUCKET_PAGING_BROKEN',
    arm: ({ world }) =>
      world.bitbucket.fault({
        match: 'repos',
        rewrite: page(({ start }) => ({ isLastPage: false, nextPageStart: start })),
      }),
  },
  {
    name: 'endless pages of repositories',
    long: true,
    ends: 'fail',
    code: 'BITBUCKET_PAGING_BROKEN',
    arm: ({ world }) => world.bitbucket.fault({ match: 'repos', rewrite: page(endless) }),
  },
  {
    name: '500 of the repositories',
    long: true,
    ends: 'fail',
    code: 'BITBUCKET_SERVER_ERROR',
    arm: ({ world }) => world.bitbucket.fault({ match: 'repos', status: 500 }),
  },
  {
    name: '504 of the repositories in the second scan',
    ends: 'fail',
    code: 'BITBUCKET_SERVER_ERROR',
    second: true,
    hurried: true,
    arm: ({ world }) => world.bitbucket.fault({ match: 'repos', status: 504 }),
  },
  {
    name: 'pages that come short',
    ends: 'nothing',
    bitbucket: {
      filteredPages: true,
      caps: { commits: 7, pullRequests: 3, activities: 2, repositories: 1, branches: 2 },
    },
    arm: () => () => undefined,
  },
];

function endless({ start, limit }: Record<string, unknown>): object {
  return { isLastPage: false, nextPageStart: Number(start) + Number(limit) };
}

/** Whatever start is asked for, the first page comes, and it is not the last. */
function endlessRepeat(): (page: Record<string, unknown>) => object {
  let first: unknown;
  return ({ start, limit, values }) => {
    first ??= values;
    return { values: first, isLastPage: false, nextPageStart: Number(start) + Number(limit) };
  };
}

/** One commit comes, and then another one, and then the first. */
function endlessTurns(): (page: Record<string, unknown>) => object {
  let all: unknown[] | undefined;
  let turn = 0;
  return ({ start, limit, values }) => {
    all ??= values as unknown[];
    return { values: [all[turn++ % 2]], isLastPage: false, nextPageStart: Number(start) + Number(limit) };
  };
}

function altersCommits(what: string): RegExp {
  return new RegExp(`^commit alpha \\S+: \\.${what}`);
}

/**
 * A target that goes back gives an open pull request more commits, and leaves its date: SEI does not take it again. What was
 * collected is in none any more.
 */
const moreCommits = /^pull request alpha \d+: \.commits\.\d+ is .*, wanted "/;
const otherCommits = /^pull request alpha \d+: \.commits\.\d+ is /;

const movements: readonly BitbucketFault[] = [
  {
    name: 'permission withdrawn in the middle',
    ends: 'skip',
    code: 'BITBUCKET_FORBIDDEN',
    arm: (scene) => refuseInTheMiddle(scene, 'permission401'),
  },
  {
    name: 'repository deleted in the middle',
    ends: 'skip',
    code: 'BITBUCKET_NOT_FOUND',
    arm: (scene) => refuseInTheMiddle(scene, 'gone404'),
  },
  renamed('moved to another project in the middle', { key: 'NEW', slug: victim }, { long: true }),
  renamed('renamed in the middle', { key: 'PAY', slug: 'omega' }, { long: true }),
  renamed('moved and renamed in the middle', { key: 'NEW', slug: 'omega' }),
  {
    name: 'covered tip forced away',
    ends: 'nothing',
    second: true,
    expectations: { alters: moreCommits },
    arm: (scene) => forcePush(scene, false),
  },
  {
    name: 'covered tip forced away and collected',
    ends: 'nothing',
    second: true,
    expectations: { alters: otherCommits },
    arm: (scene) => forcePush(scene, true),
  },
  status(
    'tip collected between two pages',
    'skip',
    'BITBUCKET_NO_SUCH_COMMIT',
    refusal(404, 'commit.NoSuchCommitException'),
    { tail: `${commits}.*start=10`, bitbucket: { caps: { commits: 5 } } },
  ),
  {
    name: 'a pull request updated while they are listed',
    ends: 'nothing',
    isCompleteLater: true,
    bitbucket: { caps: { pullRequests: 2 }, pullRequestOrder: 'updated' },
    arm: (scene) => {
      const play = scene.world.bitbucket.pullRequests('PAY', victim);
      const meanwhile = () => play.editTitle(1, 'moved to the front', { at: Date.UTC(2026, 5, 1) });
      return scene.strike('pull-requests\\?.*start=4', { times: 1, meanwhile });
    },
  },
  {
    name: 'a pull request deleted while they are listed',
    ends: 'nothing',
    isCompleteLater: true,
    bitbucket: { caps: { pullRequests: 2 } },
    expectations: { gone: /^pull request alpha/ },
    arm: async (scene) => {
      const play = scene.world.bitbucket.pullRequests('PAY', victim);
      const id = await scene.world.people.open(victim);
      return scene.strike('pull-requests\\?.*start=4', { times: 1, meanwhile: () => play.delete(id) });
    },
  },
];

const hugeDiffLines = 2_000_000;

const contents: readonly BitbucketFault[] = [
  {
    name: 'a diff of 200 MB',
    ends: 'nothing',
    arm: (scene) => {
      const stream = () => {
        const { query = '' } =
          scene.world.bitbucket.requests.list.find(({ path }) => path.endsWith('/alpha/diff')) ?? {};
        const id = new URLSearchParams(query).get('until');
        const files = `files\\.0\\.\\w+ is (null|"huge.txt"|${hugeDiffLines}|0)|files\\.\\d+ is missing`;
        scene.alters = new RegExp(
          `^commit alpha (\\d+/)?${id}: \\.(additions is ${hugeDiffLines}|deletions is 0|${files}),`,
        );
        return hugeDiff();
      };
      return scene.strike(diff, { times: 1, stream });
    },
    afterwards: ({ world, keeper, wrong }) => {
      const mib = Math.round(keeper.current.peakRssBytes / 2 ** 20);
      if (mib > 256) wrong(`${mib} MiB of memory`);
      const { commits } = world.sei.ingestedAll();
      const counted = commits.filter(({ commit }) => commit.additions === hugeDiffLines).length;
      if (counted !== 1) wrong(`${counted} commits have ${hugeDiffLines} additions`);
    },
  },
  {
    name: '5,000 files in a commit',
    ends: 'nothing',
    arm: (scene) => {
      const names = Array.from({ length: 5_000 }, (_, index) => `folder-${index % 70}/file-${index}.txt`);
      return commit(scene, { files: Object.fromEntries(names.map((name, index) => [name, `line ${index}\n`])) });
    },
  },
  {
    name: 'a message of 1 MB',
    ends: 'nothing',
    arm: (scene) => commit(scene, { message: `${'a long story '.repeat(80_000)}\n`, files: { story: 'told\n' } }),
  },
  {
    name: 'NUL and half a surrogate pair in texts',
    ends: 'nothing',
    expectations: {
      // Whatever is not odd is not of this fault.
      alters:
        /^(commit alpha \S+: \.(message|(author|committer)\.0)|pull request alpha \d+: \.(title|(reviewers|activities)\.\d+)) is "[^"]*\\u0000/,
    },
    arm: (scene) => {
      const rewrite = (text: string) =>
        text.replace(/"(message|title|displayName|name|description)":"/g, '$&\\u0000\\ud800\\udc00\\ud800 ');
      const disarm = ['commits\\?', 'pull-requests'].map((tail) => scene.strike(tail, { rewrite }));
      return () => {
        for (const each of disarm) each();
      };
    },
    afterwards: ({ world, wrong }) => {
      const { commits, pullRequests } = world.sei.ingestedAll();
      const isOdd = (text: unknown) => String(text).startsWith('\0\u{10000}\uFFFD ');
      const texts = [
        ...commits.flatMap(({ repository, commit }) =>
          repository === victim ? [commit.message, commit.author?.name] : [],
        ),
        ...pullRequests.flatMap(({ repository, pullRequest }) => (repository === victim ? [pullRequest.title] : [])),
      ];
      const other = texts.find((text) => !isOdd(text));
      if (texts.length < 40 || other !== undefined) wrong(`of ${texts.length} texts one is ${JSON.stringify(other)}`);
    },
  },
  {
    name: 'commits without people',
    ends: 'nothing',
    expectations: { alters: altersCommits('(author|committer)\\.[01] is "",') },
    arm: (scene) => {
      const nobody = [{}, { author: null }, { committer: null }, { author: null, committer: null }];
      const rewrite = page(({ values }) => ({
        values: (values as object[]).map((value, index) => ({ ...value, ...nobody[index % nobody.length] })),
      }));
      return scene.strike(commits, { rewrite });
    },
    afterwards: ({ world, wrong }) => {
      const { commits: stored } = world.sei.ingestedAll();
      const half = stored.filter(({ commit: { author, committer } }) => !author?.name !== !committer?.name);
      if (half.length > 0) wrong(`${half.length} commits have one of their two people`);
      if (stored.every(({ commit: { author } }) => author?.name)) wrong('no commit has nobody');
    },
  },
  {
    name: 'commits without e-mail',
    ends: 'nothing',
    expectations: { alters: altersCommits('(author|committer)\\.1 is "",') },
    arm: (scene) => scene.strike(commits, { rewrite: (text) => text.replaceAll(/,"emailAddress":"[^"]*"/g, '') }),
    afterwards: ({ world, wrong }) => {
      const mine = world.sei.ingestedAll().commits.filter(({ repository }) => repository === victim);
      const named = mine.filter(({ commit }) => commit.author?.name !== undefined);
      const addressed = mine.filter(({ commit }) => commit.author?.emailAddress !== undefined);
      if (named.length !== mine.length) wrong(`${mine.length - named.length} commits have lost their author`);
      if (addressed.length > 0) wrong(`${addressed.length} addresses were made up`);
    },
  },
  {
    name: 'a clock that jumps',
    ends: 'nothing',
    bitbucket: { latencyMs: 60 },
    satellite: {
      preload: [new URL('../preload/clock.ts', import.meta.url)],
      env: { CRASH_CLOCK_JUMPS: '1000:-86400000,2000:172800000,3000:-3600000' },
    },
    arm: () => () => undefined,
    afterwards: async ({ keeper, wrong }) => {
      // And once more while it has nothing to do but to wait for the next round.
      await delay(1_500);
      keeper.current.child.kill('SIGUSR2');
      const isSet = ({ code, bySeconds }: LogLine) => code === 'CLOCK_SET' && Number(bySeconds) === -43_200;
      await keeper.current.line(isSet, 10_000);
      const told = keeper.lines.filter(({ code }) => code === 'CLOCK_SET').map(({ bySeconds }) => Number(bySeconds));
      const sum = told.reduce((total, seconds) => total + seconds, 0);
      // Two jumps within a round are told as one, and the first ones may come before there is a round.
      const late = [-86_400, 172_800, -3_600].map((_, index, jumps) =>
        jumps.slice(index).reduce((total, seconds) => total + seconds, -43_200),
      );
      if (![...late, -43_200].includes(sum)) wrong(`the clock was set by ${told.join(', ')} s`);
    },
  },
];

export const bitbucketFaults = [...answers, ...broken, ...paging, ...movements, ...contents];

function refused(name: string, kind: RefusalKind, code: string): BitbucketFault {
  return { name, ends: 'skip', code, arm: ({ world }) => world.bitbucket.refuseRepository('PAY', victim, kind) };
}

/** The old name leads to the new one (307), so the job ends under the name that it began with. */
function renamed(
  name: string,
  to: { readonly key: string; readonly slug: string },
  more: Partial<BitbucketFault> = {},
): BitbucketFault {
  return {
    name,
    ends: 'nothing',
    ...more,
    arm: ({ world, strike }) => {
      const rename = async () => world.bitbucket.renameRepository('PAY', victim, to.key, to.slug);
      const disarm = strike(diff, { skip: 4, times: 1, meanwhile: rename });
      return () => {
        disarm();
        world.bitbucket.renameRepository(to.key, to.slug, 'PAY', victim);
      };
    },
  };
}

/** Some diffs are read by then; what follows is refused, the rest of the diffs first of all. */
function refuseInTheMiddle(scene: Scene, kind: RefusalKind): () => void {
  let open = () => {};
  const refuse = async () => {
    open = scene.world.bitbucket.refuseRepository('PAY', victim, kind);
  };
  const disarm = scene.strike(diff, { skip: 6, times: 1, meanwhile: refuse });
  return () => {
    disarm();
    open();
  };
}

/** The branch begins anew a few commits below its tip; what was above is gone once git has collected it. */
async function forcePush(scene: Scene, collect: boolean): Promise<() => void> {
  const { gitDir } = scene.repository;
  const scratch = new ScratchRepository(gitDir);
  if (collect) {
    // A tip that no pull request holds, or git would keep it.
    await scratch.commit({ branch: 'main', at: Date.UTC(2026, 5, 1) / 1000, files: { 'last.txt': 'told\n' } });
    await scene.jobs.run();
  }
  const before = new Set((await scratch.git('rev-list', 'main')).split('\n'));
  await scratch.git('update-ref', 'refs/heads/main', await scratch.git('rev-parse', 'main~4'));
  await scratch.commit({
    branch: 'main',
    at: Date.UTC(2026, 6, 1) / 1000,
    files: { 'other-history.txt': 'told anew\n' },
  });
  if (collect) {
    await scratch.git('reflog', 'expire', '--expire=now', '--all');
    await scratch.git('gc', '--quiet', '--prune=now');
  }
  const after = new Set((await scratch.git('rev-list', 'main')).split('\n'));
  for (const id of before) if (!after.has(id)) scene.removed.add(id);
  return () => undefined;
}

async function commit(scene: Scene, { files, message }: Pick<ScratchCommit, 'files' | 'message'>): Promise<() => void> {
  const at = Date.UTC(2026, 6, 1) / 1000;
  const text = message === undefined ? {} : { message };
  await new ScratchRepository(scene.repository.gitDir).commit({ branch: 'main', at, files: files ?? {}, ...text });
  return () => undefined;
}

async function* hugeDiff(): AsyncGenerator<Buffer> {
  yield Buffer.from('diff --git src://huge.txt dst://huge.txt\nnew file mode 100644\nindex 0000000..1111111\n');
  yield Buffer.from(`--- /dev/null\n+++ dst://huge.txt\n@@ -0,0 +1,${hugeDiffLines} @@\n`);
  const block = Buffer.from(`+${'x'.repeat(98)}\n`.repeat(1_000));
  for (let lines = 0; lines < hugeDiffLines; lines += 1_000) yield block;
}
