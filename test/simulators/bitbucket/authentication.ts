import type { Account, Accounts } from './accounts.ts';
import { captchaRequired, incorrectPassword } from './errors.ts';
import type { Credential } from './options.ts';

/** Who is asking. A token without a user behind it has no account. */
export interface Caller {
  readonly account: Account | undefined;
  /** Whose bucket of requests it is. */
  readonly bucket: string;
}

const passwordsBeforeCaptcha = 5;

export class Authentication {
  readonly #credentials: readonly Credential[];
  readonly #accounts: Accounts;
  readonly #wrongPasswords = new Map<string, number>();

  constructor(credentials: readonly Credential[], accounts: Accounts) {
    this.#credentials = credentials;
    this.#accounts = accounts;
  }

  /** Undefined without an `Authorization` header; throws when there is one that does not hold. */
  authenticate(header: string | undefined, loginUrl: string): Caller | undefined {
    if (header === undefined) return undefined;
    const [scheme = '', value = ''] = header.split(' ', 2);
    if (scheme.toLowerCase() === 'bearer') return this.#bearer(value);
    if (scheme.toLowerCase() === 'basic') return this.#basic(Buffer.from(value, 'base64').toString('utf8'), loginUrl);
    throw incorrectPassword();
  }

  #bearer(token: string): Caller {
    const credential = this.#credentials.find((one) => one.kind === 'bearer' && one.token === token);
    if (!credential) throw incorrectPassword();
    const { username } = credential;
    return username === undefined ? { account: undefined, bucket: token } : this.#callerOf(username);
  }

  /** A user's own token is good as the password too. After five wrong ones the account is locked, right ones or not. */
  #basic(pair: string, loginUrl: string): Caller {
    const colon = pair.indexOf(':');
    const username = pair.slice(0, colon);
    const secret = pair.slice(colon + 1);
    const key = username.toLowerCase();
    const wrong = this.#wrongPasswords.get(key) ?? 0;
    if (wrong >= passwordsBeforeCaptcha) throw captchaRequired(loginUrl);
    const isRight = this.#credentials.some(
      (one) => one.username?.toLowerCase() === key && secret === (one.kind === 'basic' ? one.password : one.token),
    );
    if (!isRight) {
      this.#wrongPasswords.set(key, wrong + 1);
      throw incorrectPassword();
    }
    this.#wrongPasswords.delete(key);
    return this.#callerOf(username);
  }

  #callerOf(username: string): Caller {
    const account = this.#accounts.ofName(username);
    return { account, bucket: account.name.toLowerCase() };
  }
}
