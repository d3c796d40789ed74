/**
 * Waits until everything that was written to standard output and error has left the process: `process.exit` drops
 * what a pipe has not taken yet (64 KiB fit into one). Resolves to false where some of it could not be written.
 * A reader that has seen enough, like head, is no error.
 */
export async function flushOutput(): Promise<boolean> {
  const flushed = await Promise.all([process.stdout, process.stderr].map(flush));
  return flushed.every(Boolean);
}

function flush(stream: NodeJS.WriteStream): Promise<boolean> {
  if (stream.errored) return Promise.resolve(isHangUp(stream.errored));
  return new Promise((resolve) => {
    stream.write("", (error) => resolve(!error || isHangUp(stream.errored ?? error)));
  });
}

function isHangUp(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code === "EPIPE";
}
