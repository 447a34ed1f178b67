/**
 * Works through items, so many at a time, in their order. One that is not done after its turn goes behind all that wait,
 * so a few that take for ever keep nobody from beginning.
 *
 * @param work tells whether it is done; it may go on as long as `othersWait` is false
 */
export async function inTurns<T>(
  items: readonly T[],
  work: (item: T, othersWait: () => boolean) => Promise<boolean>,
  { concurrency, signal }: { readonly concurrency: number; readonly signal: AbortSignal },
): Promise<void> {
  let begun = 0;
  const aside: T[] = [];
  const othersWait = () => begun < items.length || aside.length > 0;
  const worker = async () => {
    while (othersWait()) {
      signal.throwIfAborted();
      const item = begun < items.length ? (items[begun++] as T) : (aside.shift() as T);
      if (!(await work(item, othersWait))) aside.push(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker));
}
