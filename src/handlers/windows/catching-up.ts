/** While so much waits to be read, windows would only have to be counted again. */
const mostBehind = 10_000;
/** So much is always on its way where events come all the time. */
const always = 100;

/**
 * Told again and again how many messages a reader is behind: whether it will soon have read what windows that are over are
 * counted from. One that catches up touches them until it has: what is counted before is counted, and the stream read, twice.
 */
export function createCatchingUp(): (behind: number) => boolean {
  let before = Number.POSITIVE_INFINITY;
  return (behind) => {
    const isLess = behind < before / 2;
    before = behind;
    return behind >= mostBehind || (isLess && behind > always);
  };
}
