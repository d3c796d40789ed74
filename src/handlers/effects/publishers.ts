import type { JetStreamClient } from "@nats-io/jetstream";
import { translateOwnWrite } from "../../nats/errors.ts";
import { verdictSubject } from "../../subjects.ts";
import type { EffectLedger } from "./ledger.ts";
import type { Overview } from "./overview.ts";
import { type WireEffect, wireEffect } from "./wire.ts";

const atOnce = 100;

/**
 * Publishes each change of a verdict once, on `agent.lesson.verdict.v1`: as the effect is known now, with the number of the change.
 * After a crash it is published again under the same `Nats-Msg-Id`. What was overtaken by another change is left out.
 */
export function verdictPublisher(options: {
  readonly js: JetStreamClient;
  readonly ledger: Pick<EffectLedger, "unpublished" | "confirm">;
  readonly overview: Pick<Overview, "find">;
  readonly isEnabled: boolean;
  readonly published: (verdict: WireEffect["verdict"]) => void;
}): () => Promise<void> {
  const { js, ledger, overview, isEnabled, published } = options;
  return async () => {
    for (;;) {
      const changes = await ledger.unpublished(atOnce);
      for (const change of changes) {
        const { lessonKey, revision } = change;
        const [known] = isEnabled ? await overview.find(lessonKey) : [];
        if (known !== undefined) {
          const message = JSON.stringify({ ...wireEffect(known), revision });
          try {
            await js.publish(verdictSubject, message, {
              msgID: `${lessonKey}:verdict:${revision}`,
            });
          } catch (error) {
            throw translateOwnWrite(error);
          }
          published(known.verdict);
        }
        await ledger.confirm(change);
      }
      if (changes.length < atOnce) return;
    }
  };
}
