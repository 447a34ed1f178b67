import { type Answer, jsonAnswer } from './answer.ts';
import { type Call, param } from './call.ts';
import { noSuchEntity, permissionDenied } from './errors.ts';
import { userSlug } from './representation.ts';

export function applicationProperties(call: Call): Answer {
  const { version } = call.world.settings;
  const [major = '0', minor = '0', patch = '0'] = version.split('.');
  const buildNumber = [major, minor.padStart(3, '0'), patch.padStart(3, '0')].join('');
  return jsonAnswer({ version, buildNumber, buildDate: '1700000000000', displayName: 'Bitbucket' });
}

export function status(): Answer {
  return jsonAnswer({ state: 'RUNNING' });
}

/** Everyone may read their own settings, and nobody but an administrator those of others. */
export function rateLimitSettings(call: Call): Answer {
  const { settings, representation } = call.world;
  const account = call.caller?.account;
  if (!account || userSlug(account) !== param(call, 'user').toLowerCase()) throw permissionDenied();
  if (!settings.rateLimit || settings.rateLimit.isUntold === true)
    throw noSuchEntity('No rate limit settings exist for this user.');
  const { capacity, refillPerSecond: fillRate } = settings.rateLimit;
  return jsonAnswer({ user: representation.user(account), whitelisted: false, settings: { capacity, fillRate } });
}
