import picomatch from 'picomatch';
import type { BitbucketBranch } from '../bitbucket/types.ts';

type Branch = Pick<BitbucketBranch, 'id' | 'displayId'>;

/** The choice of `metadata.branches`, branch by branch and repository by repository. */
export interface BranchSelector {
  /** True where it is named; the entries that it matches are matched from then on. */
  selects(branch: Branch): boolean;
  /** All branches of one more repository, which has some, were shown. */
  passedRepository(): void;
  /** Entries that match none of what was shown, in so many repositories; with none of those, nothing is known of any entry. */
  seen(): { readonly unmatched: readonly string[]; readonly repositories: number };
}

/** An entry is a name as Bitbucket shows it, a full name, or a glob; `all` means every branch. */
export function newBranchSelector(entries: readonly string[]): BranchSelector {
  const isAll = entries.includes('all');
  const unmatched = new Set(isAll ? [] : entries);
  const matchers = entries.map((entry) => ({ entry, isMatch: picomatch(entry, { dot: true }) }));
  let repositories = 0;
  return {
    selects: ({ id, displayId }) => {
      if (isAll) return true;
      let isSelected = false;
      for (const { entry, isMatch } of matchers) {
        // Once all are matched, the first one that fits will do.
        if (isSelected && !unmatched.has(entry)) continue;
        if (entry !== displayId && entry !== id && !isMatch(displayId)) continue;
        unmatched.delete(entry);
        isSelected = true;
      }
      return isSelected;
    },
    passedRepository: () => {
      repositories++;
    },
    seen: () => ({ unmatched: repositories === 0 ? [] : [...unmatched], repositories }),
  };
}
