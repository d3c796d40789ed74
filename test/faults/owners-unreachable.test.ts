import { eventually, lasting } from "../rig/eventually.ts";
import { handedBy, untilAllShare } from "./affinity-figures.ts";
import type { Stack } from "./stack.ts";
import { steps } from "./steps.ts";
import { testStories } from "./stories.ts";
import type { Fault } from "./story.ts";
import type { ProxiedReplica } from "./supervisor.ts";

const givenUpLimitMs = 40_000;
/** Twice as long as it takes until a member that is silent counts as gone. */
const unreachableMs = 5_000;

interface Harm {
  readonly name: string;
  begin(replica: ProxiedReplica): void;
  end(replica: ProxiedReplica): void;
}

/** It goes on where it was. */
const frozen: Harm = {
  name: "frozen",
  begin: (replica) => replica.kill("SIGSTOP"),
  end: (replica) => replica.kill("SIGCONT"),
};

/** What is kept back arrives later. */
const speak = (replica: ProxiedReplica) => replica.nats.speak("delayed");
const cutOff: Harm = {
  name: "cut off from NATS",
  begin: (replica) => replica.nats.silence(),
  end: speak,
};
const unheard: Harm = {
  name: "that can send nothing",
  begin: (replica) => replica.nats.silence("requests"),
  end: speak,
};
/** Others hear that it is there, and go on handing it what it does not get. */
const deaf: Harm = {
  name: "that hears nothing",
  begin: (replica) => replica.nats.silence("replies"),
  end: speak,
};

/** Until whoever waits for its answer has given it up. */
async function untilGivenUp(
  harm: Harm,
  owner: ProxiedReplica,
  { supervisor }: Stack,
): Promise<void> {
  const others = () =>
    supervisor.replicas.filter((one) => one.process !== owner.process && one.hasLogged("serving"));
  harm.begin(owner);
  await eventually(async () => (await handedBy(others())).handedBack > 0, givenUpLimitMs).finally(
    () => harm.end(owner),
  );
}

async function forAWhile(harm: Harm, replica: ProxiedReplica): Promise<void> {
  harm.begin(replica);
  await lasting(unreachableMs).finally(() => harm.end(replica));
}

/** It has done all that it was handed, and is about to say so; others give it up, and then it does. */
const ownerOf = (harm: Harm): Fault => ({
  name: `an owner ${harm.name}`,
  begin: untilAllShare,
  failpoint: {
    ...{ step: steps.ownerAnswer, moment: "before", at: [2] },
    inject: (stack, owner) =>
      harm === deaf ? forAWhile(harm, owner) : untilGivenUp(harm, owner, stack),
  },
  async stake({ supervisor }) {
    const { handedOn, handedBack } = await handedBy(supervisor.replicas);
    return { "handed on": handedOn, ...(harm !== deaf && { "handed back": handedBack }) };
  },
});

/** While starting, while rebuilding, in the middle of a batch. */
const anywhere = (harm: Harm, at: readonly number[]): Fault => ({
  name: `${at.length} replicas ${harm.name} at random requests`,
  failpoint: {
    ...{ step: steps.any, moment: "before", at },
    inject: (_, replica) => forAWhile(harm, replica),
  },
});

testStories(
  [
    { seed: 1, fault: ownerOf(frozen) },
    { seed: 2, fault: anywhere(frozen, [150, 60, 90]) },
    { seed: 3, fault: ownerOf(cutOff) },
    { seed: 4, fault: anywhere(cutOff, [190, 80]) },
    { seed: 5, fault: ownerOf(unheard) },
    { seed: 6, fault: ownerOf(deaf) },
  ],
  { together: 2 },
);
