import type { Command } from "commander";
import { atLeastOne } from "./time.ts";

/** Whose something is. */
export interface OfUser {
  readonly user?: string;
  readonly tenant?: string;
}

export interface UserListing extends OfUser {
  readonly limit: number;
  readonly cursor?: string;
}

export function withUserListing(command: Command): Command {
  return command
    .option("--user <id>", "of this user")
    .option("--tenant <id>", "of this tenant")
    .option("--limit <count>", "how many at most", atLeastOne, 50)
    .option("--cursor <cursor>", "go on where an earlier listing ended");
}

/** As the endpoints want it. */
export function ofUser({ user, tenant }: OfUser) {
  return {
    ...(user !== undefined && { user_id: user }),
    ...(tenant !== undefined && { tenant_id: tenant }),
  };
}
