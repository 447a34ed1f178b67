import type { Bitbucket } from '../bitbucket/bitbucket.ts';
import { SatelliteError } from '../errors.ts';
import type { Tell } from './step.ts';

export interface Server {
  readonly version: string;
  /** Undefined: nobody, or a token of a project or repository, behind which there is no user. */
  readonly userName: string | undefined;
}

/**
 * Who Bitbucket takes us for. The status proves nothing, as the answer is given to anybody; the name of the user in it
 * does (bitbucket-dc-rest §2).
 *
 * @throws SatelliteError `BITBUCKET_URL_WRONG` where something else answers, and those of the client
 */
export async function identify(bitbucket: Bitbucket, url: string, tell: Tell): Promise<Server> {
  const { version, userName } = await askServer(bitbucket, url);
  if (version === undefined) throw notBitbucket(url);
  tell(userName === undefined ? nobody : { detail: userName });
  return { version, userName };
}

const nobody = {
  detail: 'Bitbucket names no user',
  warning: true,
  code: 'BITBUCKET_NO_USER',
  hint: 'That is right for a project or repository token, which has none. Otherwise nobody is logged in: check username and api_key, and whether a proxy takes the Authorization header out.',
} as const;

async function askServer(bitbucket: Bitbucket, url: string) {
  try {
    return await bitbucket.server();
  } catch (error) {
    const isElsewhere = error instanceof SatelliteError && error.statusCode === 404;
    throw isElsewhere ? notBitbucket(url, error) : error;
  }
}

function notBitbucket(url: string, cause?: SatelliteError): SatelliteError {
  return new SatelliteError(
    `What answers at ${url} is not Bitbucket${cause?.statusCode ? ` (${cause.statusCode})` : ''}`,
    {
      code: 'BITBUCKET_URL_WRONG',
      kind: 'config',
      hint: 'The url is the base URL, with the context path if there is one: what stands before /projects in the address bar.',
      url,
      cause,
    },
  );
}

/** bitbucket-dc-rest describes Server 5.x to 7.x, Data Center 8.x and 9.x, and has notes on 10.x. */
const oldestMajor = 5;
const newestMajor = 10;

export function judgeVersion(version: string, tell: Tell): void {
  const major = Number.parseInt(version, 10);
  tell({ detail: version });
  if (major < oldestMajor) {
    tell({
      warning: true,
      code: 'BITBUCKET_VERSION_OLD',
      hint: `The satellite is made for Bitbucket ${oldestMajor}.0 and newer: what an older one answers is not known.`,
    });
  } else if (major > newestMajor) {
    tell({ detail: `${version}, newer than any that the satellite is known to work with (${newestMajor}.x)` });
  }
}
