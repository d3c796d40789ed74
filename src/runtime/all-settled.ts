/** Like Promise.all, but leaves nothing running when one of them fails. */
export async function allSettled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

/** The same for many items, so many of them at a time: after a failure no other is begun. */
export async function eachSettled<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const left = items.entries();
  let isFailed = false;
  const worker = async () => {
    for (const [index, item] of left) {
      try {
        results[index] = await work(item);
      } catch (error) {
        isFailed = true;
        throw error;
      }
      if (isFailed) return;
    }
  };
  await allSettled(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}
