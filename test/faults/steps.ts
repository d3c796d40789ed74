import type { Message } from "./wire.ts";

/** One effect of the service, by what a replica sends to bring it about. */
export interface Step {
  readonly name: string;
  matches(message: Message): boolean;
}

const isMarked = (message: Message) => message.body.includes('"learned":true');
const isEvidence = ({ about }: Message) => /^H?PUB \$KV\.\S+-evidence\.evidence\./.test(about);
const publishes = (subject: string) => {
  const pattern = new RegExp(`^H?PUB ${subject.replaceAll(/[.$]/g, "\\$&")}`);
  return ({ about }: Message) => pattern.test(about);
};
const answers = (word: string) => (message: Message) =>
  message.about.startsWith("PUB $JS.ACK.") && message.body.toString("latin1").startsWith(word);

/** A statement that has this in it, however its names are quoted. */
export const executes =
  (text: string) =>
  ({ about }: Message) =>
    about.replaceAll('"', "").includes(text);

/** The order of effects, and what invalid messages bring about. */
export const steps = {
  evidence: {
    name: "evidence written",
    matches: (message) => isEvidence(message) && !isMarked(message),
  },
  coverage: {
    name: "coverage recorded",
    matches: ({ about }) => /^H?PUB \$KV\.\S+-evidence\.coverage\./.test(about),
  },
  insert: {
    name: "lesson inserted",
    matches: executes("INSERT INTO agent_lessons"),
  },
  publish: { name: "lesson published", matches: publishes("agent.lesson.v1") },
  confirm: {
    name: "publication confirmed",
    matches: executes("DELETE FROM lesson_outbox"),
  },
  mark: {
    name: "document marked",
    matches: (message) => isEvidence(message) && isMarked(message),
  },
  handOn: {
    name: "events handed on",
    matches: ({ about }) => /^H?PUB experience-bus\..*\.events\./.test(about),
  },
  ownerAnswer: {
    name: "what was handed on is answered",
    matches: ({ about, body }) =>
      /^H?PUB _INBOX\./.test(about) && body.includes('"ok":true,"news"'),
  },
  ack: { name: "message acked", matches: answers("+ACK") },
  features: {
    name: "features read",
    matches: executes("FROM feature_events AS one"),
  },
  featureWrite: {
    name: "features written",
    matches: executes("INSERT INTO feature_events"),
  },
  deadLetter: { name: "dead letter written", matches: publishes("dead.") },
  term: { name: "message terminated", matches: answers("+TERM") },
  /** Whatever a replica sends: a random moment of its life. */
  any: { name: "any request", matches: ({ about }) => about !== "" },
} as const satisfies Record<string, Step>;
