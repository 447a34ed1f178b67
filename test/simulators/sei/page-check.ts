import { integrationKey } from './messages.ts';
import { checkRecord, type DataType } from './records.ts';
import { type Complain, int, isObject, list, literal, object, type Shape } from './shape.ts';

export interface ExpectedPage {
  readonly tenant: string;
  readonly integrationId: string;
  readonly dataType: DataType;
  readonly pageNumber: number;
}

/** The original puts at most so many top-level records into a file; what a reader makes of more is not known. */
const maxRecords = 500;

/** A page full of the same mistake is told once or twice, not a thousand times. */
const maxDeviations = 10;

/** Checks the bytes of a file that was pushed (sei-protocol §3.2, §4.6). */
export function checkPage(bytes: Uint8Array, expected: ExpectedPage, complain: Complain): Set<string> {
  const file = parse(bytes, complain);
  const repositories = new Set<string>();
  if (file === undefined) return repositories;
  let deviations = 0;
  const atMost: Complain = (deviation) => {
    deviations += 1;
    if (deviations <= maxDeviations) complain(deviation);
  };
  if (pageShape(file, 'file', atMost)) {
    const { _metadata: metadata, records, count } = file;
    if (metadata.integration_key.tenant_id !== expected.tenant) atMost('file._metadata has another tenant');
    if (metadata.integration_key.integration_id !== expected.integrationId) {
      atMost('file._metadata has another integration than the push');
    }
    if (metadata.data_type !== expected.dataType) atMost('file._metadata.data_type is not that of the path');
    if (metadata.page_number !== expected.pageNumber) atMost('file._metadata.page_number is not that of the path');
    if (count !== records.length) atMost(`file.count is ${count}, but there are ${records.length} records`);
    if (records.length === 0 && expected.dataType !== 'repositories') atMost('file has no records: never stored');
    records.forEach((record, index) => {
      checkRecord(expected.dataType, record, `file.records[${index}]`, atMost);
      if (!isObject(record) || !isObject(record.repository)) return;
      repositories.add(`${record.repository.name} ${record.repository.id}`);
    });
  }
  if (deviations > maxDeviations) complain(`and ${deviations - maxDeviations} more deviations in this file`);
  return repositories;
}

function parse(bytes: Uint8Array, complain: Complain): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const file: unknown = JSON.parse(text);
    if (isObject(file)) return file;
    complain('file is not a JSON object');
  } catch (error) {
    complain(`file is not JSON in UTF-8: ${error instanceof Error ? error.message : String(error)}`);
  }
  return undefined;
}

const anything: Shape<unknown> = (value): value is unknown => value !== undefined;

const pageShape = object({
  _metadata: object({
    integration_key: integrationKey,
    integration_type: literal('bitbucket_server'),
    data_type: literal('commits', 'tags', 'pull_requests', 'repositories'),
    page_number: int,
  }),
  records: list(anything, { atMost: maxRecords }),
  count: int,
});
