import type { BitbucketUser } from '../bitbucket/types.ts';
import { fields, flag, text, wholeNumber } from './fields.ts';
import type { UserRecord } from './types.ts';

/** Nobody becomes `{}`: SEI reads the people of a commit, a review or a pull request without looking whether they exist. */
export function userRecord(user: BitbucketUser | null | undefined): UserRecord {
  if (!user) return {};
  return fields<UserRecord>({
    name: text(user.name),
    emailAddress: text(user.emailAddress),
    id: wholeNumber(user.id),
    displayName: text(user.displayName),
    active: flag(user.active),
    slug: text(user.slug),
    type: text(user.type),
  });
}
