export const findingKinds = ['missing', 'invented', 'differing', 'duplicated', 'other'] as const;

/** What an oracle found wrong, by kind; each is one sentence. */
export class Findings {
  readonly missing: string[] = [];
  readonly invented: string[] = [];
  readonly differing: string[] = [];
  readonly duplicated: string[] = [];
  readonly other: string[] = [];

  get count(): number {
    return findingKinds.reduce((sum, kind) => sum + this[kind].length, 0);
  }

  add(others: Findings): void {
    for (const kind of findingKinds) this[kind].push(...others[kind]);
  }

  /** A few of each kind. */
  sentences(most = 5): string[] {
    const told = (kind: string, all: readonly string[]) => [
      ...all.slice(0, most).map((one) => `${kind}: ${one}`),
      ...(all.length > most ? [`${kind}: and ${all.length - most} more`] : []),
    ];
    return [
      ...told('missing', this.missing),
      ...told('invented', this.invented),
      ...told('differs', this.differing),
      ...told('duplicated', this.duplicated),
      ...told('wrong', this.other),
    ];
  }
}
