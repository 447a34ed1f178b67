/** Where a redirect that is not followed leads: its host alone, as the rest may hold a session. */
export function redirectHost(location: string | undefined, url: string): string {
  const target = location === undefined ? null : URL.parse(location, url);
  return target?.host ? target.host : 'another server';
}
