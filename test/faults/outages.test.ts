import { afterAll, beforeAll, expect, test } from "vitest";
import { lasting } from "../rig/eventually.ts";
import { type Build, copyBuild } from "./build.ts";
import { type OwnPostgres, startOwnPostgres } from "./own-postgres.ts";
import type { Stack } from "./stack.ts";
import { turns } from "./stories.ts";
import { runStory, type Story } from "./story.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

/** An outage that counted against messages would make dead letters of them: 3 attempts of 1 s. */
const env = { EXPERIENCE_MAX_DELIVER: "3" };
const outageMs = 6_000;
const recoveryLimitMs = 5_000;
/** A limit in seconds is for a few replicas on two cores, not for fifteen. */
const turn = turns(2);

async function survive(
  fault: Story["fault"],
  { limitMs = recoveryLimitMs, ...story }: Partial<Story> & { limitMs?: number } = {},
): Promise<void> {
  const { differences, recoveryMs, report } = await turn(() =>
    runStory({ seed: 1, main: build.main, env, fault, ...story }),
  );
  console.info(report);
  expect(differences, report).toEqual([]);
  expect(recoveryMs, "until everything is learned").toBeLessThan(limitMs);
}

test.concurrent.for<[string, (server: OwnPostgres) => Promise<void>]>([
  [
    "away for longer than all attempts",
    async (server) => {
      await server.stop();
      await lasting(outageMs);
      await server.start();
    },
  ],
  [
    "frozen for longer than a statement may take",
    async (server) => {
      server.freeze();
      await lasting(12_000);
      server.thaw();
    },
  ],
])(
  "PostgreSQL %s: no dead letter, no loss, recovered within 5 s of its return",
  async ([how, outage], { onTestFinished }) => {
    const server = await startOwnPostgres();
    onTestFinished(() => server.remove());
    const inject = () => outage(server);
    await survive({ name: `PostgreSQL ${how}`, inject }, { openDatabase: server.openDatabase });
  },
);

test.concurrent.for<[string, (stack: Stack) => Promise<void>]>([
  [
    "killed, and away for longer than all attempts",
    async ({ broker }) => {
      await broker.kill();
      await lasting(outageMs);
      await broker.restart();
    },
  ],
  [
    "frozen for longer than all attempts",
    async ({ broker }) => {
      broker.freeze();
      await lasting(outageMs);
      broker.thaw();
    },
  ],
])(
  "the broker %s: no dead letter, no loss, recovered within 5 s of its return",
  async ([how, inject]) => {
    await survive({ name: `the broker ${how}`, inject });
  },
);

test.concurrent.for([
  ["nats", outageMs],
  ["nats", 25_000],
  ["postgres", 12_000],
] as const)(
  "a link to %s that is silent for %i ms: recovered within 5 s of its return",
  async ([server, ms]) => {
    const inject = async ({ supervisor }: Stack) => {
      const links = supervisor.replicas.map((replica) => replica[server]);
      for (const link of links) link.silence();
      await lasting(ms);
      for (const link of links) link.speak("delayed");
    };
    await survive({ name: `a link to ${server} silent for ${ms} ms`, inject });
  },
);

// Two pings, 5 s apart, go unanswered before the client connects anew (15 s at most). A statement gets 10 s, and each of
// three replicas may find out only when the one before has.
test.concurrent.for([
  ["nats", 25_000, "NATS connection lost"],
  ["postgres", 35_000, "replacing the connections to PostgreSQL"],
] as const)(
  "connections to %s that stay silent for ever are replaced within %i ms",
  async ([server, limitMs, notice]) => {
    const fault: Story["fault"] = {
      name: `connections to ${server} silent for ever`,
      // What connects after the fault has a connection that speaks.
      async begin({ supervisor }) {
        await Promise.all(supervisor.replicas.map((replica) => replica.ready()));
      },
      async inject({ supervisor }) {
        const links = supervisor.replicas.map((replica) => replica[server]);
        for (const link of links) link.silence();
        for (const link of links) link.speak("lost");
      },
      stake: async ({ supervisor }) => ({
        noticed: supervisor.replicas.filter((replica) => replica.hasLogged(notice)).length,
      }),
    };
    await survive(fault, { limitMs });
  },
);
