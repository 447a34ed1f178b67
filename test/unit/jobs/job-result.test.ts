import { describe, expect, test } from '@jest/globals';
import { type DataType, dataTypes } from '../../../src/data-type.ts';
import { SatelliteError } from '../../../src/errors.ts';
import { jobException, jobResult } from '../../../src/jobs/job-result.ts';
import type { Job } from '../../../src/store/jobs.ts';
import { Store } from '../../../src/store/store.ts';
import { newJob } from '../store/fixtures.ts';

interface Part {
  readonly _metadata: { readonly data_type: DataType };
  readonly records: readonly unknown[];
  readonly count: number;
}

/** The result of a job that pushed so many pages of each type. */
function resultOf(pages: Partial<Record<DataType, number>>, ran: readonly DataType[], destination?: string) {
  const store = new Store(':memory:');
  store.jobs.add(newJob('a'));
  for (const [type, count] of Object.entries(pages)) {
    const dataType = type as DataType;
    for (let number = count - 1; number >= 0; number--) {
      store.pages.add({ jobId: 'a', dataType, number }, 1, Buffer.from('{}'));
      const stored = { records: [{ uri: `gs://${type}.${number}`, unknown: { n: number } }] };
      store.pages.setPushed(
        { jobId: 'a', dataType, number },
        destination === undefined ? stored : { destination, ...stored },
      );
    }
  }
  const job = store.jobs.get('a') as Job;
  return jobResult(store, job, 'acme', new Set(ran)) as { readonly records: readonly Part[]; readonly count: number };
}

describe('the result of a job', () => {
  test('has a part for each type that ran, in the order of SEI, with the pointers as they came', () => {
    const result = resultOf({ commits: 2, pull_requests: 1, repositories: 1 }, [...dataTypes].reverse(), 's3');
    expect(result).toEqual({
      count: 4,
      records: ['commits', 'tags', 'pull_requests', 'repositories'].map((type) => {
        const count = { commits: 2, tags: 0, pull_requests: 1, repositories: 1 }[type] ?? 0;
        return {
          _metadata: {
            integration_key: { tenant_id: 'acme', integration_id: '7' },
            integration_type: 'bitbucket_server',
            data_type: type,
          },
          destination: count === 0 ? 'gcs' : 's3',
          prefix_uri: `${type}/`,
          records: Array.from({ length: count }, (_, number) => ({
            uri: `gs://${type}.${number}`,
            unknown: { n: number },
          })),
          count,
        };
      }),
    });
  });

  test('leaves out what did not run, and keeps what ran for nothing', () => {
    const result = resultOf({ commits: 1 }, ['pull_requests', 'commits']);
    expect(result.records.map(({ _metadata, count }) => [_metadata.data_type, count])).toEqual([
      ['commits', 1],
      ['pull_requests', 0],
    ]);
  });

  test.each<[string, readonly DataType[]]>([
    ['without a single page', ['commits', 'pull_requests']],
    ['of which nothing ran', []],
  ])('%s says that it is empty: none at all would be a failure', (_name, ran) => {
    expect(resultOf({}, ran)).toEqual({ empty: true });
  });

  test('does not hold pages that SEI has not taken', () => {
    const store = new Store(':memory:');
    store.jobs.add(newJob('a'));
    store.pages.add({ jobId: 'a', dataType: 'commits', number: 0 }, 1, Buffer.from('{}'));
    expect(jobResult(store, store.jobs.get('a') as Job, 'acme', new Set(['commits']))).toEqual({ empty: true });
  });
});

test('an exception says the code, what happened and what to do', () => {
  const error = new SatelliteError('The door is closed', { code: 'CLOSED', kind: 'auth', hint: 'Open it.' });
  const message = 'CLOSED: The door is closed Open it.';
  expect(jobException(error)).toEqual({ message, stacktrace: [{ [message]: [] }] });
  const plain = new SatelliteError('The door is closed', { code: 'CLOSED', kind: 'auth' });
  expect(jobException(plain).message).toBe('CLOSED: The door is closed');
});
