import { isRefusal } from "../errors.ts";

/**
 * Handles items together. A batch that is refused is halved until the refused ones are alone, so that no other waits
 * for them; `refusedAlone` gets each of these. Rejects with anything that is not a refusal, and with a refusal of a
 * batch that `canRefuse` says has nothing to refuse.
 */
export async function handleByHalves<T>(
  items: readonly T[],
  steps: {
    readonly handle: (items: readonly T[]) => Promise<void>;
    readonly canRefuse: (items: readonly T[]) => boolean;
    readonly refusedAlone: (item: T, error: Error) => void | Promise<void>;
    readonly onHalved?: (error: Error, items: number) => void;
  },
): Promise<void> {
  const [first] = items;
  if (first === undefined) return;
  try {
    return await steps.handle(items);
  } catch (error) {
    if (!isRefusal(error) || !steps.canRefuse(items)) throw error;
    if (items.length === 1) return await steps.refusedAlone(first, error);
    steps.onHalved?.(error, items.length);
  }
  const middle = Math.ceil(items.length / 2);
  await handleByHalves(items.slice(0, middle), steps);
  await handleByHalves(items.slice(middle), steps);
}
