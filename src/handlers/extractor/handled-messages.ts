import type { ExperienceEvent } from "./event.ts";

/** Messages that were handled, or read again: what is found of them in a document is their own. */
export interface HandledMessages {
  add(events: readonly ExperienceEvent[]): void;
  has(event: ExperienceEvent | undefined): boolean;
}

/** So many messages are remembered, to tell a message that comes again from an id that does. */
const mostHandled = 20_000;

export function createHandledMessages(most = mostHandled): HandledMessages {
  const handled = new Set<string>();
  return {
    add(events) {
      for (const event of events) handled.add(messageOf(event));
      for (const oldest of handled) {
        if (handled.size <= most) break;
        handled.delete(oldest);
      }
    },
    has: (event) => event !== undefined && handled.has(messageOf(event)),
  };
}

/** The message that an event was read from, as good as certainly: its identity and when it was stored. */
function messageOf(event: ExperienceEvent): string {
  return `${event.tenantId}\0${event.agentId}\0${event.eventId}\0${event.storedAt}`;
}
