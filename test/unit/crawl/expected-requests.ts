import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import nock from 'nock';

/** No test of the file passes while a request that it expects is not made, or one is made that it does not expect. */
export function onlyExpectedRequests(): void {
  const unexpected: string[] = [];
  const note = (request: Request) => unexpected.push(`${request.method} ${request.url}`);

  beforeAll(() => {
    nock.disableNetConnect();
    nock.emitter.on('no match', note);
  });
  beforeEach(() => {
    unexpected.length = 0;
  });
  afterEach(() => {
    const pending = nock.pendingMocks();
    nock.cleanAll();
    expect({ pending, unexpected }).toEqual({ pending: [], unexpected: [] });
  });
  afterAll(() => {
    nock.emitter.off('no match', note);
    nock.restore();
  });
}
