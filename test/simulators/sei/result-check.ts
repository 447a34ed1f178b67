import { isDeepStrictEqual } from 'node:util';
import type { Job } from './jobs.ts';
import type { JobResult, Pointer, ScanQuery } from './messages.ts';
import { type DataType, dataTypes } from './records.ts';
import type { Complain } from './shape.ts';
import type { Storage } from './storage.ts';

type Part = Extract<JobResult, { records: unknown }>['records'][number];

/**
 * Holds a reported result against what was pushed for the job (sei-protocol §3.4, §4.2). `complete`: the job succeeded,
 * so a pushed page that the result does not name would never reach SEI.
 */
export function checkResult(
  job: Job,
  query: ScanQuery,
  result: JobResult,
  complete: boolean,
  storage: Storage,
  complain: Complain,
): void {
  const parts = 'records' in result ? result.records : [];
  checkParts(job, parts, complain);
  const named = new Set<string>();
  for (const part of parts) {
    for (const pointer of part.records) {
      checkPointer(job, part._metadata.data_type, pointer, storage, complain);
      if (named.has(pointer.uri)) complain(`the result names ${pointer.uri} twice`);
      named.add(pointer.uri);
    }
  }
  if (!complete) return;
  for (const page of storage.pages(job.jobId)) {
    if (page.attempt !== job.attempts || named.has(page.pointer.uri)) continue;
    complain(`${page.path} was pushed but is not in the result`);
  }
  checkScope(query, parts, 'empty' in result, complain);
}

function checkParts(job: Job, parts: readonly Part[], complain: Complain): void {
  let last = -1;
  for (const { _metadata: metadata } of parts) {
    const place = dataTypes.indexOf(metadata.data_type);
    if (place <= last) complain(`the result has ${metadata.data_type} twice or out of order`);
    last = Math.max(last, place);
    if (!isDeepStrictEqual(metadata.integration_key, job.query.integration_key)) {
      complain(`the result's ${metadata.data_type} have another integration key`);
    }
  }
}

function checkPointer(job: Job, dataType: DataType, pointer: Pointer, storage: Storage, complain: Complain): void {
  const page = storage.find(pointer);
  if (page === undefined) complain(`the result names ${pointer.uri}, which was never pushed`);
  else if (page.jobId !== job.jobId) complain(`the result names ${pointer.uri}, which is of another job`);
  else if (page.dataType !== dataType) complain(`the result names ${page.path} among the ${dataType}`);
  else if (page.pointer.blob_id.generation !== pointer.blob_id.generation) {
    complain(`the result names a generation of ${page.path} that was overwritten`);
  } else if (!isDeepStrictEqual(page.pointer, pointer)) complain(`the pointer of ${page.path} was changed on its way`);
}

function checkScope(query: ScanQuery, parts: readonly Part[], empty: boolean, complain: Complain): void {
  const part = (dataType: DataType) => parts.find((each) => each._metadata.data_type === dataType);
  // Whether there may be any was judged when they were pushed.
  if (query.from !== undefined && part('tags')?.records.length === 0) complain('tags are for full scans only');
  if (query.should_fetch_repos === true) {
    if ((part('repositories')?.records.length ?? 0) === 0) complain('repositories were asked for and are not there');
    return;
  }
  if (part('repositories')?.records.length === 0) complain('repositories were not asked for');
  if (!empty && parts.every((each) => each.records.length === 0)) {
    complain('a scan that found nothing has the result {"empty": true}');
  }
}
