import { type Random, randomFrom, shuffled } from "./events.ts";
import { invalidPayloads, type Publication } from "./publications.ts";

export interface FeatureTraffic {
  readonly messages: number;
  readonly users: number;
}

const subjects = [
  ...["signals.task.synced", "signals.tip.feedback", "signals.page.opened", "signals.search.done"],
  ...["feedback.tip", "feedback.answer.rated"],
] as const;

const payloads: readonly ((random: Random) => Record<string, unknown>)[] = [
  (random) => ({ source: `source-${random(3)}`, tasks: Array(random(4)).fill("task") }),
  (random) => ({ task_count: random(50) }),
  (random) => ({ rating: random(3) - 1 }),
  (random) => ({ feedback: ["helpful", "thumbs_down", "skipped", "unheard of"][random(4)] }),
];

/**
 * So many publications in random order, all from the seed except for the date. Of every 100 some 5 say
 * again what another one says, under another message id, and some 2 are published twice over, which
 * JetStream stores once. Twenty of all are invalid.
 */
export function featureTraffic(seed: number, { messages, users }: FeatureTraffic): Publication[] {
  const random = randomFrom(seed);
  const base = Date.now() - 3_600_000;
  const publications = invalidUserEvents();
  for (let i = 0; publications.length < messages; i += 1) {
    const made = eventOf(random, `event-${i}`, { base, users });
    publications.push(...made);
  }
  return shuffled(publications.slice(0, messages), random);
}

function eventOf(random: Random, id: string, { base, users }: { base: number; users: number }) {
  const user = random(users);
  const subject = subjects[random(subjects.length)] ?? subjects[0];
  const fields = {
    ...(user % 3 === 0 && { tenant_id: "other" }),
    [random(2) === 0 ? "user_id" : "userId"]: `user-${user}`,
    ...(random(3) === 0 && { type: `type-${random(8)}` }),
    payload: payloads[random(payloads.length)]?.(random),
  };
  // Many share a time, so that the id must decide which is the newest.
  const ts = base + random(60) * 60_000;
  const timed = { ...fields, ts: random(2) === 0 ? ts : new Date(ts).toISOString() };
  const publication = (value: object, messageId?: string): Publication => ({
    subject,
    payload: Buffer.from(JSON.stringify(value)),
    ...(messageId !== undefined && { messageId }),
  });
  const named = { event_id: id, ...timed };
  const draw = random(100);
  // Of two copies either may be the first in the stream: they differ in nothing that counts.
  if (draw < 3) return [publication(named, `${id}-first`), publication(named, `${id}-again`)];
  if (draw < 5) return [publication(named, `${id}-first`), publication(timed, id)];
  const once = publication(named, `message-of-${id}`);
  if (draw < 7) return [once, once];
  if (draw < 30) return [publication(timed, id)];
  // Its time is when the stream stores it.
  if (draw < 40) return [publication({ event_id: id, ...fields }, `message-of-${id}`)];
  // Its identity is its place in the stream.
  if (draw < 42) return [publication(timed)];
  return [once];
}

function invalidUserEvents(): Publication[] {
  const more = [
    { user_id: "user-1", ts: "yesterday" },
    { user_id: 1 },
    { user_id: "" },
    { user_id: "user-1", payload: [] },
    { user_id: "user-1", event_id: "x".repeat(129) },
    { user_id: "user-1", type: "a\u0000b" },
  ].map((value) => Buffer.from(JSON.stringify(value)));
  return [...Object.values(invalidPayloads), ...more].map((payload, i) => ({
    subject: subjects[i % subjects.length] ?? subjects[0],
    payload,
    messageId: `invalid-${i}`,
  }));
}
