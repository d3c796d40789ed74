/** At least so many requests' worth is asked for or waiting, so that the server never waits for a request. */
const requestsAhead = 2;
/** Where more waits, batches grow up to so many requests' worth (4,096 messages by default). */
const requestsInBatch = 16;
/** And up to so many bytes, as far as the size of what came lately tells. */
const bytesInBatch = 8 * 1_024 * 1_024;
/** So many replicas can hold all the credit that they want. */
const replicasWithCredit = 16;

export type Credit = ReturnType<typeof createCredit>;

/**
 * How many messages may be asked for ahead, and taken at once. It doubles while all that was asked for is there when the
 * next batch is taken, and halves while little is: an idle replica keeps few requests open, and no batch waits until it is
 * full.
 */
export function createCredit(request: number, grows: boolean) {
  const min = requestsAhead * request;
  const max = grows ? 2 * requestsInBatch * request : min;
  let wanted = min;
  let allowed = max;
  let meanBytes = 0;
  const maxOfSize = () => Math.max(min, Math.floor((2 * bytesInBatch) / Math.max(1, meanBytes)));
  const room = () => Math.max(min, Math.min(wanted, allowed, maxOfSize()));
  return {
    room,
    batch: () => Math.max(request, Math.floor(room() / 2)),
    /** A larger message counts at once, smaller ones little by little. */
    arrived(bytes: number) {
      meanBytes = Math.max(
        meanBytes + (bytes - meanBytes) / 256,
        bytes > 4 * meanBytes ? bytes : 0,
      );
    },
    taken(count: number, left: number) {
      if (count + left >= room() - request) wanted = Math.min(max, 2 * wanted);
      else if (count + left < wanted / 8) wanted = Math.max(min, wanted / 2);
    },
    limitTo(maxAckPending: number) {
      allowed = Math.floor(maxAckPending / replicasWithCredit);
    },
  };
}
