import { createHmac, createSecretKey, type KeyObject } from "node:crypto";

const unit = 2 ** 48;

/** Made ready once: OpenSSL takes longer to read a key than to use it. */
export type CoinKey = KeyObject;

export function coinKeyOf(text: string): CoinKey {
  return createSecretKey(text, "utf8");
}

/**
 * The coin of a lesson in a run, from 0 up to 1: HMAC-SHA-256 over tenant, run and lesson, so that it falls alike on
 * every replica and each time, and it cannot be predicted without the key.
 */
export function coinOf(key: CoinKey, tenantId: string, runId: string, lessonKey: string): number {
  const digest = createHmac("sha256", key)
    .update(JSON.stringify([tenantId, runId, lessonKey]))
    .digest();
  return digest.readUIntBE(0, 6) / unit;
}

/** A share of 1 attaches always, 0 never. */
export function isAttached(coin: number, share: number): boolean {
  return coin < share;
}
