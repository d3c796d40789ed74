/**
 * The two protocols that a replica speaks, as far as a proxy between it and its servers must read
 * them: where one message ends, what it is about, and which answer belongs to it.
 */
export interface Protocol {
  /** One reader per connection: bytes in, whole messages out. */
  reader(): { requests: Cutter; replies: Cutter };
}

export type Cutter = (chunk: Buffer) => Message[];

export interface Message {
  readonly bytes: Buffer;
  /** `PUB <subject>`, or the SQL text that is about to run; empty where nobody asks. */
  readonly about: string;
  readonly body: Buffer;
  /** A request's answer has the same token. */
  readonly token: string;
}

const lineEnd = Buffer.from("\r\n");
const withPayload = new Set(["PUB", "HPUB", "MSG", "HMSG"]);

/** The client protocol of NATS: a line, and after four of its verbs as many bytes as the line ends with. */
export const natsProtocol: Protocol = {
  reader: () => ({ requests: cutterOf(cutNats), replies: cutterOf(cutNats) }),
};

function cutNats(bytes: Buffer): Message | null {
  const end = bytes.indexOf(lineEnd);
  if (end === -1) return null;
  const words = bytes.toString("latin1", 0, end).split(" ");
  const [verb = "", subject = ""] = words;
  const bodyStart = end + lineEnd.length;
  if (!withPayload.has(verb)) {
    return { bytes: bytes.subarray(0, bodyStart), about: verb, body: Buffer.alloc(0), token: "" };
  }
  const bodyEnd = bodyStart + Number(words.at(-1));
  if (bytes.length < bodyEnd + lineEnd.length) return null;
  const sizes = verb.startsWith("H") ? 2 : 1;
  const reply = verb.endsWith("PUB") && words.length === 3 + sizes ? (words[2] ?? "") : "";
  return {
    bytes: bytes.subarray(0, bodyEnd + lineEnd.length),
    about: `${verb} ${subject}`,
    body: bytes.subarray(bodyStart, bodyEnd),
    token: verb.endsWith("MSG") ? subject : reply,
  };
}

/**
 * PostgreSQL's protocol 3 without TLS. Every Sync and every simple query is answered by one
 * ReadyForQuery, in order, and the end of the start-up by one more.
 */
export const postgresProtocol: Protocol = {
  reader() {
    const statements = new Map<string, string>();
    let started = false;
    let asked = 0;
    let answered = -1;

    function cutRequest(bytes: Buffer): Message | null {
      const head = started ? 1 : 0;
      if (bytes.length < head + 4) return null;
      const size = head + bytes.readUInt32BE(head);
      if (bytes.length < size) return null;
      const type = started ? String.fromCharCode(bytes[0] ?? 0) : "startup";
      started = true;
      const body = bytes.subarray(head + 4, size);
      const token = `ready ${asked + 1}`;
      if (type === "S" || type === "Q") asked += 1;
      return { bytes: bytes.subarray(0, size), about: aboutOf(type, body), body, token };
    }

    function aboutOf(type: string, body: Buffer): string {
      const [first = "", second = ""] = body.toString("utf8").split("\0", 2);
      if (type === "P") statements.set(first, second);
      if (type === "B") return statements.get(second) ?? "";
      return type === "Q" ? first : "";
    }

    function cutReply(bytes: Buffer): Message | null {
      if (bytes.length < 5) return null;
      const size = 1 + bytes.readUInt32BE(1);
      if (bytes.length < size) return null;
      const isReady = bytes[0] === "Z".charCodeAt(0);
      if (isReady) answered += 1;
      const token = isReady ? `ready ${answered}` : "";
      return { bytes: bytes.subarray(0, size), about: "", body: bytes.subarray(5, size), token };
    }

    return { requests: cutterOf(cutRequest), replies: cutterOf(cutReply) };
  },
};

function cutterOf(cutOne: (bytes: Buffer) => Message | null): Cutter {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const messages: Message[] = [];
    for (let message = cutOne(rest); message !== null; message = cutOne(rest)) {
      messages.push(message);
      rest = rest.subarray(message.bytes.length);
    }
    return messages;
  };
}
