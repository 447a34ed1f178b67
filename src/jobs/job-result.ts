import { type DataType, dataTypes } from '../data-type.ts';
import { SatelliteError } from '../errors.ts';
import type { JobException } from '../sei/types.ts';
import type { Job } from '../store/jobs.ts';
import type { Store } from '../store/store.ts';

/**
 * What SEI gets to find the pages by (sei-protocol §3.4): a part for each data type that ran, in SEI's order, with the
 * pointers exactly as they came. A successful job must carry a result, so one without pages carries `{"empty": true}`.
 */
export function jobResult(store: Store, job: Job, tenantId: string, ran: ReadonlySet<DataType>): unknown {
  const parts = dataTypes
    .filter((dataType) => ran.has(dataType))
    .map((dataType) => {
      const pages = store.pages.stored(job.id, dataType);
      const records = pages.flatMap((page) => page.records);
      return {
        _metadata: {
          integration_key: { tenant_id: tenantId, integration_id: job.integrationId },
          integration_type: 'bitbucket_server',
          data_type: dataType,
        },
        destination: pages[0]?.destination ?? 'gcs',
        prefix_uri: `${dataType}/`,
        records,
        count: records.length,
      };
    });
  if (parts.every(({ count }) => count === 0)) return { empty: true };
  return { count: parts.length, records: parts };
}

export function jobException(error: SatelliteError): JobException {
  const message = `${error.code}: ${error.message}${error.hint === undefined ? '' : ` ${error.hint}`}`;
  return { message, stacktrace: [{ [message]: [] }] };
}

/** Of every slice of a job, none could be read. */
export function nothingReadable(slices: number): SatelliteError {
  return new SatelliteError(`None of the ${slices} parts of the job could be read`, {
    code: 'NOTHING_READABLE',
    kind: 'retryable',
    hint: 'The failures of the job name the reason for each repository.',
  });
}
