import { connectThroughProxy, connectToProxy, type ProxyRoute } from '../http/proxy-connection.ts';
import { proxyName } from '../http/proxy-server.ts';
import type { Tell } from './step.ts';
import type { Way } from './way.ts';

/**
 * Whether the proxy is there and lets us through to the server. With plain http there is nothing to be let through
 * before the first request.
 */
export async function tryProxy({ destination, isTls, name }: Way, route: ProxyRoute, tell: Tell): Promise<void> {
  const { proxy } = route;
  const isTunnel = isTls || proxy.protocol.startsWith('socks');
  const socket = isTunnel
    ? await connectThroughProxy(route, destination)
    : await connectToProxy(route, destination.url);
  socket.destroy();
  const what = isTunnel ? `connects to ${name}` : 'is there';
  tell({ detail: `${proxyName(proxy)} (${proxy.source}) ${what}` });
}
