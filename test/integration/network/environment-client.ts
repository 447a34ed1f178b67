/**
 * A process of its own for what Node reads from the environment only once. Makes one request for each line of options in
 * the first argument, prints how it ended, and has to end by itself then.
 */
import { type RequestOptions, request } from './request.ts';

for (const options of JSON.parse(process.argv[2] ?? '[]') as RequestOptions[]) {
  const end = await request(options).catch(({ code }: { code: string }) => code);
  process.stdout.write(`${end}\n`);
}
