export interface Progress {
  readonly published: (count: number) => void;
  readonly processed: (count: number) => void;
  /** Prints something lasting above the progress line. */
  readonly print: (text: string) => void;
  readonly done: () => void;
}

/** One line that changes on a terminal; elsewhere a line for each further quarter. */
export function openProgress(total: number): Progress {
  const terminal = process.stdout.isTTY === true;
  let published = 0;
  let processed = 0;
  let quarters = 0;

  const line = () => `published ${published}/${total}, processed ${processed}/${total}`;
  const clear = () => {
    if (terminal) process.stdout.write("\r\x1b[K");
  };
  const show = () => {
    if (terminal) {
      clear();
      process.stdout.write(line());
      return;
    }
    const reached = Math.floor((4 * (published + processed)) / Math.max(1, 2 * total));
    if (reached > quarters) console.log(line());
    quarters = Math.max(quarters, reached);
  };

  return {
    published(count) {
      published = count;
      show();
    },
    processed(count) {
      processed = count;
      show();
    },
    print(text) {
      clear();
      console.log(text);
      if (terminal) show();
    },
    done: clear,
  };
}
