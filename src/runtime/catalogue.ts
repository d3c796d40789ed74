import type { ServiceInfo } from "@nats-io/services";
import { Empty, type NatsConnection } from "@nats-io/transport-node";
import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { isUnanswered } from "../nats/unanswered.ts";
import type { TSchema } from "../schema/typebox.ts";
import { infoSubject } from "../subjects.ts";

export interface Schemas {
  /** Null: the request is empty. */
  readonly request: TSchema | null;
  readonly reply: TSchema;
}

/** How long an answer is believed; replicas with other concerns come and go. */
const keptMs = 60_000;
const patienceMs = 1_000;

/** Schemas of endpoints that other replicas host, as these tell them; null where none does, or cannot be asked. */
export type FindSchemas = (name: string) => Promise<Schemas | null>;

export function openCatalogue(nc: NatsConnection, log: Logger): FindSchemas {
  let known: Promise<ReadonlyMap<string, Schemas>> | undefined;
  let knownUntil = 0;

  async function ask(): Promise<ReadonlyMap<string, Schemas>> {
    const found = new Map<string, Schemas>();
    try {
      const options = { strategy: "stall", maxWait: patienceMs } as const;
      for await (const reply of await nc.requestMany(infoSubject, Empty, options)) {
        for (const [name, schemas] of schemasIn(reply.json<ServiceInfo>())) {
          found.set(name, schemas);
        }
      }
    } catch (error) {
      if (!isUnanswered(error)) log.warn({ why: messageOf(error) }, "cannot ask for schemas");
    }
    return found;
  }

  return async (name) => {
    if (known === undefined || performance.now() > knownUntil) {
      known = ask();
      knownUntil = performance.now() + keptMs;
    }
    return (await known).get(name) ?? null;
  };
}

function schemasIn({ endpoints = [] }: ServiceInfo): [string, Schemas][] {
  return endpoints.flatMap(({ name, metadata }) => {
    const { request_schema, reply_schema } = metadata ?? {};
    if (request_schema === undefined || reply_schema === undefined) return [];
    const request = JSON.parse(request_schema);
    // As `startEndpoints` says that there is none.
    return [
      [
        name,
        {
          request: request.description === "empty" ? null : request,
          reply: JSON.parse(reply_schema),
        },
      ],
    ];
  });
}
