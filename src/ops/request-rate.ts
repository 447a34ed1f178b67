const slotMs = 5_000;
const slots = 12;

/** Requests a second over the last minute, or since the first one where that is shorter ago. */
export class RequestRate {
  readonly #counts = new Map<number, number>();
  #firstAtMs: number | undefined;

  note(elapsedMs: number): void {
    this.#firstAtMs ??= elapsedMs;
    const slot = Math.floor(elapsedMs / slotMs);
    this.#counts.set(slot, (this.#counts.get(slot) ?? 0) + 1);
    for (const old of this.#counts.keys()) if (slot - old > slots) this.#counts.delete(old);
  }

  perSecond(elapsedMs: number): number {
    if (this.#firstAtMs === undefined) return 0;
    const slot = Math.floor(elapsedMs / slotMs);
    let requests = 0;
    for (const [at, count] of this.#counts) if (slot - at <= slots) requests += count;
    const windowMs = Math.min(elapsedMs - this.#firstAtMs, slots * slotMs + (elapsedMs % slotMs));
    return requests / Math.max(1, windowMs / 1000);
  }
}
