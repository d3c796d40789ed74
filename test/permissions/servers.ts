import { inject } from "vitest";
import { oldNatsServer } from "../rig/old-nats.ts";

/** What permissions are tested on: what each is called, and its binary; null: it cannot be had here. */
export async function serversToTest(): Promise<readonly (readonly [string, string | null])[]> {
  return [
    ["the newest nats-server", inject("natsBinary")],
    ["nats-server 2.10", await oldNatsServer("2.10")],
  ];
}
