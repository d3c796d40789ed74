import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports that systems hand out by themselves (from 32,768 or 49,152 on): nobody gets it by chance. */
const first = 20_000;
const count = 10_000;

/** Free a moment ago, for what has to know its port before it listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = first + Math.floor(Math.random() * count);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("listening", () => resolve(true)).once("error", () => resolve(false));
      server.listen(port);
    });
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
