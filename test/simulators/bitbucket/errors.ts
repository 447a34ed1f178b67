/** Thrown by whatever cannot answer with what was asked for; the server turns it into `errors[]`. */
export class Refusal extends Error {
  readonly status: number;
  /** The whole Java class name, or null where Bitbucket gives none. */
  readonly exceptionName: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, exceptionName: string | null, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
    this.exceptionName = exceptionName;
    this.headers = headers;
  }
}

const bitbucket = 'com.atlassian.bitbucket';
const notPermitted = 'You are not permitted to access this resource';

export const badArgument = (message: string) =>
  new Refusal(400, `${bitbucket}.validation.ArgumentValidationException`, message);

export const incorrectPassword = () =>
  new Refusal(
    401,
    `${bitbucket}.auth.IncorrectPasswordAuthenticationException`,
    'Authentication failed. Please check your credentials and try again.',
  );

export const authenticationRequired = () =>
  new Refusal(
    401,
    'com.atlassian.plugins.rest.api.security.exception.AuthenticationRequiredException',
    'You are not permitted to access this resource',
  );

export const captchaRequired = (loginUrl: string) =>
  new Refusal(
    403,
    `${bitbucket}.auth.CaptchaRequiredAuthenticationException`,
    'CAPTCHA required. Your Bitbucket account has been marked as requiring a CAPTCHA to be solved in the browser.',
    { 'X-Authentication-Denied-Reason': `CAPTCHA_CHALLENGE; login-url=${loginUrl}` },
  );

/** 401 is also Bitbucket's word for an account that may not do something. */
export const permissionDenied = (status: 401 | 403 = 401) =>
  new Refusal(status, `${bitbucket}.AuthorisationException`, notPermitted);

export const noSuchProject = (key: string) =>
  new Refusal(404, `${bitbucket}.project.NoSuchProjectException`, `Project ${key} does not exist.`);

export const noSuchRepository = (key: string, slug: string) =>
  new Refusal(404, `${bitbucket}.repository.NoSuchRepositoryException`, `Repository ${key}/${slug} does not exist.`);

export const noSuchCommit = (revision: string, slug: string) =>
  new Refusal(
    404,
    `${bitbucket}.commit.NoSuchCommitException`,
    `Commit '${revision}' does not exist in repository '${slug}'.`,
  );

export const noSuchPullRequest = (id: number, key: string, slug: string) =>
  new Refusal(
    404,
    `${bitbucket}.pull.NoSuchPullRequestException`,
    `Pull request ${id} does not exist in ${key}/${slug}.`,
  );

export const noDefaultBranch = () =>
  new Refusal(404, `${bitbucket}.repository.NoDefaultBranchException`, 'No default branch is defined');

export const noSuchEntity = (message: string) => new Refusal(404, `${bitbucket}.NoSuchEntityException`, message);
