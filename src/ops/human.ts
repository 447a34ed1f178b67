const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** `40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`. */
export function humanSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < minute) return `${whole} s`;
  if (whole < hour) return `${Math.floor(whole / minute)} min`;
  const [large, largeUnit, small, smallUnit] =
    whole < day
      ? [Math.floor(whole / hour), 'h', Math.floor((whole % hour) / minute), 'min']
      : [Math.floor(whole / day), 'd', Math.floor((whole % day) / hour), 'h'];
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** Between two ISO times; never less than nothing, as a clock may have been set back. */
export function humanBetween(from: string, to: string): string {
  return humanSeconds((Date.parse(to) - Date.parse(from)) / 1000);
}

export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes;
  for (const unit of ['KiB', 'MiB', 'GiB']) {
    value /= 1024;
    if (value < 1024 || unit === 'GiB') return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  }
  return '';
}

export function humanCount(count: number): string {
  return count.toLocaleString('en');
}

/** One thing or several of them, with the number. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${humanCount(count)} ${count === 1 ? one : many}`;
}

/** `23 Nov, 10:42 UTC` of an ISO time. */
export function humanTime(iso: string): string {
  const date = new Date(iso);
  const month = date.toLocaleString('en', { month: 'short', timeZone: 'UTC' });
  return `${date.getUTCDate()} ${month}, ${iso.slice(11, 16)} UTC`;
}
