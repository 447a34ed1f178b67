import { dataTypes } from './records.ts';
import {
  and,
  boolean,
  type Complain,
  epochMs,
  int,
  isObject,
  list,
  listWrapper,
  literal,
  long,
  matching,
  nonBlank,
  number,
  object,
  type Shape,
  type Shaped,
  string,
} from './shape.ts';

/** The bodies of the calls, field by field: sei-protocol §1.5 to §1.7, §3.1 and §3.4. */

export const integrationKey = object({ tenant_id: nonBlank, integration_id: nonBlank });

const handleFields = {
  agent_id: matching('a UUID', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  agent_type: nonBlank,
  controller_names: list(nonBlank, { atLeast: 1 }),
  tenant_id: nonBlank,
  integration_ids: list(nonBlank),
};

const anyObject: Shape<Record<string, unknown>> = (value, at, complain): value is Record<string, unknown> => {
  if (!isObject(value)) complain(`${at} is not an object`);
  return isObject(value);
};

const knownTelemetry: Readonly<Record<string, Shape<unknown>>> = {
  version: nonBlank,
  uptime: number,
  memory: object({ free: number, total: number, max: number }),
  cpu: object({ cores: int }),
  jobs: object({
    total: int,
    done: int,
    running: int,
    invalid_done_but_running: int,
    invalid_not_done_but_not_running: int,
    invalid_total: int,
  }),
};

/** Free-form on the server, so other keys may come along; but never the console log. */
const telemetry = and(anyObject, (value, at, complain) => {
  for (const [name, shape] of Object.entries(knownTelemetry)) {
    if (Object.hasOwn(value, name)) shape(value[name], `${at}.${name}`, complain);
  }
  forbidLog(value, at, complain);
});

function forbidLog(value: unknown, at: string, complain: Complain): void {
  if (!isObject(value)) return;
  for (const [name, inner] of Object.entries(value)) {
    if (name === 'log') complain(`${at}.log ships console output`);
    forbidLog(inner, `${at}.${name}`, complain);
  }
}

export const registerBody = object(handleFields, { telemetry });
export const heartbeatBody = object({ ...handleFields, telemetry });
export const listBody = object(handleFields);

export type AgentHandle = Shaped<typeof listBody>;

const scanQuery = object({ integration_key: integrationKey }, { from: long, to: long, should_fetch_repos: boolean });
export type ScanQuery = Shaped<typeof scanQuery>;

/** What push answers and what the result has to give back unchanged. */
const pointer = object({
  uri: nonBlank,
  html_uri: nonBlank,
  blob_id: object({ bucket: nonBlank, name: nonBlank, generation: long }),
});
export type Pointer = Shaped<typeof pointer>;

const resultPart = and(
  object({
    _metadata: object({
      integration_key: integrationKey,
      integration_type: literal('bitbucket_server'),
      data_type: literal(...dataTypes),
    }),
    destination: literal('gcs'),
    prefix_uri: nonBlank,
    records: list(pointer),
    count: int,
  }),
  (part, at, complain) => {
    if (part.count !== part.records.length) complain(`${at}.count is ${part.count} of ${part.records.length} records`);
    if (part.prefix_uri !== `${part._metadata.data_type}/`) complain(`${at}.prefix_uri is not the data type and a /`);
  },
);

const emptyResult = object({ empty: literal(true) });
const fullResult = listWrapper(resultPart);
export type JobResult = Shaped<typeof emptyResult> | Shaped<typeof fullResult>;

const jobResult: Shape<JobResult> = (value, at, complain): value is JobResult =>
  isObject(value) && Object.hasOwn(value, 'empty') ? emptyResult(value, at, complain) : fullResult(value, at, complain);

const failure = object({ message: nonBlank, severity: nonBlank }, { url: string });
export type Failure = Shaped<typeof failure>;

/** `stacktrace`: one-key objects, "error line" → frames. */
const exception = object({ message: string }, { stacktrace: list(and(anyObject, checkFrames)) });
export type JobException = Shaped<typeof exception>;

function checkFrames(trace: Record<string, unknown>, at: string, complain: Complain): void {
  const frames = Object.values(trace);
  if (frames.length !== 1) complain(`${at} has ${frames.length} keys, wanted one`);
  for (const each of frames) list(string)(each, `${at}.*`, complain);
}

const reportedJob = and(
  object(
    {
      id: nonBlank,
      agent_id: nonBlank,
      controller_name: nonBlank,
      query: scanQuery,
      done: boolean,
      cancelled: boolean,
      created_at: epochMs,
    },
    {
      controller_id: nonBlank,
      done_at: epochMs,
      exception,
      result: jobResult,
      intermediate_state: anyObject,
      failures: list(failure),
    },
  ),
  (job, at, complain) => {
    if (job.done !== (job.done_at !== undefined)) complain(`${at}.done_at has to be there when done, and only then`);
    if (job.done_at !== undefined && job.done_at < job.created_at) complain(`${at} was done before it was created`);
    if (!job.done && job.result !== undefined) complain(`${at}.result is there before the job is done`);
    if (!job.done && job.exception !== undefined) complain(`${at}.exception is there before the job is done`);
    if (job.done && !job.cancelled && job.exception === undefined && job.result === undefined) {
      complain(`${at} is done with neither result nor exception: SEI takes that for a failure`);
    }
  },
);
export type ReportedJob = Shaped<typeof reportedJob>;

export const reportBody = listWrapper(reportedJob);

export const pushBody = object({
  integration_key: integrationKey,
  job_id: nonBlank,
  relative_path: matching(
    '<data_type>/<data_type>.<page>.json',
    /^(commits|tags|pull_requests|repositories)\/\1\.(0|[1-9]\d*)\.json$/,
  ),
  content_type: literal('application/json; charset=UTF-8'),
  content: string,
});
