/** Settles as the work does, or rejects when its time is over and leaves it to itself. */
export async function rejectsAfter<T>(
  limitMs: number,
  late: () => Error,
  work: PromiseLike<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), limitMs);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}
