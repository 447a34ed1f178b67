import type { Checkup, Leg } from './checkup.ts';
import { tryConnection } from './connection.ts';
import { resolveNames } from './name-resolution.ts';
import { tryProxy } from './proxy.ts';
import type { Way } from './way.ts';

/** Everything between this machine and the server, before the first request. */
export async function checkWay(checkup: Checkup, leg: Leg, way: Way): Promise<void> {
  const required = { required: true };
  await leg.step('name-resolution', 'Name resolution', (tell) => resolveNames(way, tell), required);
  const { route } = way;
  if (route !== undefined) await leg.step('proxy', 'Proxy', (tell) => tryProxy(way, route, tell), required);
  await leg.step('connection', 'Connection', (tell) => tryConnection(way, checkup.clock.now(), tell), required);
}
