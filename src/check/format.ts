const dayMs = 24 * 60 * 60 * 1000;

/** 3900 → `3,900` */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** `1 repository`, `3,900 repositories` */
export function counted(value: number, one: string, many: string): string {
  return `${count(value)} ${Math.round(value) === 1 ? one : many}`;
}

/** A span of time as somebody would say it, in its largest units. */
export function duration(seconds: number): string {
  if (seconds < 1) return 'less than a second';
  if (seconds < 100) return counted(seconds, 'second', 'seconds');
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} minutes`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return hours < 10 && minutes % 60 > 0 ? `${hours} h ${minutes % 60} min` : `${hours} hours`;
  return `${count(hours / 24)} days`;
}

export function bytes(value: number): string {
  const mib = value / 2 ** 20;
  return mib < 1024 ? `${count(mib)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}

export function days(ms: number): number {
  return Math.floor(ms / dayMs);
}

/** `2026-01-31` */
export function day(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 10);
}

/** The first few of a list, and how many more there are. */
export function some(names: readonly string[], shown = 5): string {
  const more = names.length - shown;
  return more > 0 ? `${names.slice(0, shown).join(', ')} and ${more} more` : names.join(', ');
}
