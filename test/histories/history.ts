import fc from 'fast-check';

/** What people can do between two scans, or in the middle of one. */
const deedNames = [
  'commit',
  'commitLate',
  'mergeLate',
  'rewrite',
  'switchDefault',
  'addBranch',
  'commitToBranch',
  'catchUp',
  'rewriteBranch',
  'deleteBranch',
  'rename',
  'move',
  'create',
  'fork',
  'delete',
  'recreate',
  'archive',
  'hide',
  'show',
  'open',
  'openFromFork',
  'openAndMerge',
  'approve',
  'needsWork',
  'unapprove',
  'comment',
  'reply',
  'addReviewer',
  'removeReviewer',
  'editTitle',
  'push',
  'merge',
  'decline',
  'reopen',
  'deletePullRequest',
] as const;
export type DeedName = (typeof deedNames)[number];

/** The numbers choose among what there is at the time, so every deed means something in every history. */
export interface Deed {
  readonly deed: DeedName;
  readonly where: number;
  readonly which: number;
  readonly how: number;
}

/** Something that goes wrong at Bitbucket, at SEI or here, counted in requests from the beginning of the scan. */
export type Trouble =
  | {
      readonly kind: 'answer';
      readonly answer: number;
      readonly resource: number;
      readonly after: number;
      readonly times: number;
    }
  | { readonly kind: 'meanwhile'; readonly deed: Deed; readonly after: number }
  | { readonly kind: 'stop'; readonly after: number }
  | { readonly kind: 'sei'; readonly call: number; readonly how: number; readonly times: number };

/** `next`: from where SEI's last one ended; `again`: from before that; `full`: without a beginning. */
export interface ScanStep {
  readonly scan: 'next' | 'again' | 'full';
  readonly troubles: readonly Trouble[];
  /** The satellite begins with an empty store. */
  readonly losesStore: boolean;
  /** SEI gives a failed job out again, or goes on behind it. */
  readonly repeatsFailed: boolean;
}

type Step = Deed | ScanStep;

export interface History {
  readonly branches: readonly string[];
  readonly backfillDays: number;
  /** `page.max.pullrequests` and the like: small, so that a few items are several pages. */
  readonly pageSize: number;
  readonly steps: readonly Step[];
}

const small = fc.nat(7);
const deed: fc.Arbitrary<Deed> = fc.record({
  deed: fc.constantFrom(
    ...deedNames,
    'commit',
    'commit',
    'open',
    'open',
    'approve',
    'comment',
    'merge',
    'push',
    'rewrite',
    'mergeLate',
    'reopen',
    'decline',
  ),
  where: small,
  which: small,
  how: small,
});
const after = fc.nat(30);
const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  fc.record({
    kind: fc.constant('answer'),
    answer: small,
    resource: small,
    after,
    times: fc.integer({ min: 1, max: 8 }),
  }),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('meanwhile'), deed, after }) },
  fc.record({ kind: fc.constant('stop'), after }),
  fc.record({ kind: fc.constant('sei'), call: small, how: small, times: fc.integer({ min: 1, max: 8 }) }),
);
const scan: fc.Arbitrary<ScanStep> = fc.record({
  scan: fc.constantFrom('next', 'next', 'next', 'again', 'full'),
  troubles: fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(trouble, { maxLength: 3 }) },
  ),
  losesStore: fc.nat(9).map((n) => n === 9),
  repeatsFailed: fc.boolean(),
});

export const histories: fc.Arbitrary<History> = fc.record({
  branches: fc.constantFrom(['default'], ['default'], ['all'], ['feature/*', 'main']),
  backfillDays: fc.constantFrom(36_500, 36_500, 2),
  pageSize: fc.constantFrom(100, 3, 2),
  steps: fc.array(fc.oneof({ weight: 4, arbitrary: deed }, { weight: 1, arbitrary: scan }), {
    minLength: 5,
    maxLength: 45,
  }),
});
