import { distance } from 'fastest-levenshtein';
import { squash } from './names.ts';

/** The candidate that was most likely meant: a third of its letters may differ, spelling and case do not count. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = squash(word);
  if (wanted === '') return undefined;
  const [best] = candidates
    .map((candidate) => ({ candidate, cost: cost(wanted, squash(candidate)) }))
    .filter(
      ({ candidate, cost }) => cost <= Math.max(1, Math.floor(Math.min(wanted.length, squash(candidate).length) / 3)),
    )
    .sort((one, other) => one.cost - other.cost);
  return best?.candidate;
}

/** Letters that changed places count as one; a word that was cut short or made longer (`debugging`, `repositories`) is near too. */
function cost(wanted: string, candidate: string): number {
  const [short, long] = wanted.length < candidate.length ? [wanted, candidate] : [candidate, wanted];
  if (short.length >= 4 && long.startsWith(short)) return 1;
  if ([...wanted].sort().join('') === [...candidate].sort().join('')) return 1;
  return distance(wanted, candidate);
}
