import { type Agent, type IncomingMessage, request } from 'node:http';

/** A GET with nothing around it. */
export function get(agent: Agent, url: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { agent, headers }, resolve).once('error', reject).end();
  });
}
