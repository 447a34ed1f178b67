/** What an oracle found wrong, by kind; each is one sentence. */
export class Findings {
  readonly missing: string[] = [];
  readonly invented: string[] = [];
  readonly differing: string[] = [];
  readonly duplicated: string[] = [];
  readonly other: string[] = [];

  get count(): number {
    return (
      this.missing.length + this.invented.length + this.differing.length + this.duplicated.length + this.other.length
    );
  }

  add({ missing, invented, differing, duplicated, other }: Findings): void {
    this.missing.push(...missing);
    this.invented.push(...invented);
    this.differing.push(...differing);
    this.duplicated.push(...duplicated);
    this.other.push(...other);
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
