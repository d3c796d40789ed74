import { hash } from "node:crypto";
import { BusError } from "../../errors.ts";
import { parseJsonObject } from "../../schema/json.ts";

/** CloudEvents 1.0, with the NATS binding of 1.0.3: structured, or with the attributes in headers (`ce-id` …). */
const eventType = "agent.experience.v1";
const longestId = 128;

type Fields = Readonly<Record<string, unknown>>;

/** A header of the message, by its name in lower case; empty where there is none. */
export type ReadHeader = (name: string) => string;

/**
 * The experience event that a message carries as a CloudEvent; null where it is none. Throws `bad_request` for one of
 * another type, or whose data is no object.
 */
export function cloudEventIn(payload: Uint8Array, header: ReadHeader): Fields | null {
  if (isVersion(header("ce-specversion"))) {
    const attributes = Object.fromEntries(
      ["id", "source", "type", "time", "subject", "traceparent"].map((name) => [
        name,
        decoded(header(`ce-${name}`)),
      ]),
    );
    return eventWith(attributes, parseJsonObject(payload));
  }
  return fromCloudEvent(parseJsonObject(payload));
}

/** The same for a value that is parsed already, in structured form. */
export function fromCloudEvent(value: unknown): Fields | null {
  if (!isFields(value) || !isVersion(value["specversion"])) return null;
  const { data, data_base64 } = value;
  if (isFields(data)) return eventWith(value, data);
  if (typeof data_base64 !== "string")
    throw new BusError("bad_request", "data: expected an object");
  return eventWith(value, parseJsonObject(Buffer.from(data_base64, "base64")));
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isVersion(version: unknown): boolean {
  return typeof version === "string" && /^1\.\d+$/.test(version);
}

/** What the event says itself counts; the attributes say the rest. A CloudEvent is who sent it and its id. */
function eventWith(attributes: Fields, event: Fields): Fields {
  const text = (name: string) => {
    const value = attributes[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const type = text("type");
  if (type !== undefined && type !== eventType) {
    throw new BusError("bad_request", `type: expected ${eventType}`);
  }
  const [id, source] = [text("id"), text("source")];
  if (id === undefined || source === undefined) {
    throw new BusError("bad_request", "a CloudEvent has an id and a source");
  }
  const agent = source.split(/[/:#]/).findLast((part) => part !== "");
  const told = {
    event_id: bounded(`${source}#${id}`),
    ts: text("time"),
    agent_id: agent?.slice(0, longestId),
    run_id: text("subject"),
    request_id: text("traceparent"),
  };
  const own = Object.entries(event).filter(([, value]) => value !== null && value !== "");
  // Over HTTP the tenant of a token is written beside the attributes, and decides whatever the data says.
  const tenant = text("tenant_id");
  return {
    ...told,
    ...Object.fromEntries(own.map(([key, value]) => [snakeOf(key), value])),
    ...(tenant !== undefined && { tenant_id: tenant }),
  };
}

const camel: Readonly<Record<string, string>> = {
  ...{ eventId: "event_id", agentId: "agent_id", runId: "run_id", requestId: "request_id" },
};

/** Either spelling of a field is the event's own word. */
const snakeOf = (key: string) => (Object.hasOwn(camel, key) ? (camel[key] ?? key) : key);

function bounded(id: string): string {
  return id.length <= longestId ? id : hash("sha256", id, "hex");
}

/** Values of headers are percent-encoded; what is not so stays as it is. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    if (error instanceof URIError) return value;
    throw error;
  }
}
