import { createHash } from 'node:crypto';
import type { Person } from './commit-log.ts';
import type { KnownUser } from './options.ts';

export type Account = KnownUser;

/**
 * The users of the server. A commit shows an account only when its e-mail address belongs to one of `known`; a pull
 * request always needs one, so whoever opens or merges one without being known gets an account made up for them.
 */
export class Accounts {
  readonly known: readonly Account[];
  readonly #byName = new Map<string, Account>();
  readonly #byEmail = new Map<string, Account>();

  constructor(known: readonly Account[]) {
    this.known = known;
    for (const account of known) {
      this.#byName.set(account.name.toLowerCase(), account);
      this.#byEmail.set(account.emailAddress.toLowerCase(), account);
    }
  }

  /** The known account of an e-mail address. */
  ofEmail(email: string): Account | undefined {
    return this.#byEmail.get(email.toLowerCase());
  }

  ofName(name: string): Account {
    return this.#byName.get(name.toLowerCase()) ?? this.#make(name, `${name}@example.com`, name);
  }

  ofPerson(person: Person): Account {
    const name = person.email === '' ? person.name : (person.email.split('@')[0] ?? person.email);
    return this.ofEmail(person.email) ?? this.#make(name, person.email, person.name);
  }

  #make(name: string, emailAddress: string, displayName: string): Account {
    const key = `${name} ${emailAddress}`.toLowerCase();
    const made = this.#byName.get(key) ?? { name, emailAddress, displayName, id: madeUpId(key) };
    this.#byName.set(key, made);
    return made;
  }
}

/** The same in every run, and above the ids that a test would give. */
function madeUpId(key: string): number {
  return 1_000_000 + (createHash('sha1').update(key).digest().readUInt32BE(0) % 1_000_000_000);
}
