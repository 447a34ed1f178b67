import type { IntegrationConfig, MetadataConfig } from '../../../src/config/config.ts';

type Overrides = Partial<Omit<IntegrationConfig, 'metadata'>> & { readonly metadata?: Partial<MetadataConfig> };

/** An integration that crawls everything there is, but for what a test says otherwise. */
export function integration({ metadata, ...others }: Overrides = {}): IntegrationConfig {
  const credentials = others.credentials ?? { kind: 'basic', username: 'reader', password: 'secret' };
  return {
    id: '7',
    url: 'https://bitbucket.example.org',
    credentials,
    allCredentials: [credentials],
    tls: { insecure: false },
    rateLimit: { maxInFlight: 4 },
    metadata: {
      repos: [],
      projects: [],
      excludeRepos: [],
      archived: 'include',
      branches: [],
      fetchCommits: true,
      fetchCommitFiles: true,
      fetchPrs: true,
      fetchPrReviews: true,
      fetchPrCommits: true,
      fetchTags: true,
      backfillDays: 7,
      commitSource: 'rest',
      keepClones: true,
      ...metadata,
    },
    ...others,
  };
}
