import {
  constants,
  createCipheriv,
  createPrivateKey,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
} from "node:crypto";
import { expect, test } from "vitest";
import { type OpenedGrant, openGrant } from "../../../src/handlers/missions/grant.ts";

const pair = () => generateKeyPairSync("rsa", { modulusLength: 2_048 });
const ours = pair();
const privateKey = createPrivateKey(ours.privateKey.export({ type: "pkcs8", format: "pem" }));
const key = randomBytes(32);
const now = Date.UTC(2026, 10, 1, 12);

function wrap(what: Buffer, to = ours.publicKey, oaepHash = "sha256"): string {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return publicEncrypt({ key: to, padding, oaepHash }, what).toString("base64");
}

function encrypt(text: string, by = key, iv = randomBytes(12)): string {
  const cipher = createCipheriv("aes-256-gcm", by, iv);
  const sealed = [cipher.update(text), cipher.final(), cipher.getAuthTag()];
  return `enc:1:${iv.toString("base64")}.${Buffer.concat(sealed).toString("base64")}`;
}

const grant = (changes: object = {}) => ({
  wrapped_key: wrap(key),
  tables: ["notes"],
  record_ids: ["n1"],
  expires_at: "2026-11-01T13:00:00Z",
  ...changes,
});
const opened = (changes?: object) => openGrant(grant(changes), privateKey, now) as OpenedGrant;

test("the right key decrypts, within tables and records", () => {
  const one = opened();
  expect(one.decrypt(encrypt("grüße"))).toBe("grüße");
  expect([one.allows("notes", "n1"), one.allows("notes", "n2"), one.allows("tasks", "n1")]).toEqual(
    [true, false, false],
  );
});

test.each([
  ["no grant", null, "no_grant"],
  ["an expired grant", grant({ expires_at: "2026-11-01T12:00:00Z" }), "expired"],
  ["a grant without an end", grant({ expires_at: undefined }), "malformed"],
  ["a grant without tables", grant({ tables: "notes" }), "malformed"],
  ["a key that is not base64", grant({ wrapped_key: "…" }), "malformed"],
  ["a key of another length", grant({ wrapped_key: "AAAA" }), "malformed"],
  ["a key for somebody else", grant({ wrapped_key: wrap(key, pair().publicKey) }), "wrong_key"],
  [
    "a key wrapped with SHA-1",
    grant({ wrapped_key: wrap(key, ours.publicKey, "sha1") }),
    "wrong_key",
  ],
  ["a key of 128 bits", grant({ wrapped_key: wrap(randomBytes(16)) }), "malformed"],
  ["words", "please", "malformed"],
])("%s opens nothing", (_, given, reason) => {
  expect(openGrant(given, privateKey, now)).toBe(reason);
});

test("without a private key nothing is opened", () => {
  expect(openGrant(grant(), null, now)).toBe("no_key");
});

test("what was altered, or encrypted with another key, is not decrypted", () => {
  const one = opened();
  const [iv = "", sealed = ""] = encrypt("hello").slice(6).split(".");
  const bytes = Buffer.from(sealed, "base64");
  for (let i = 0; i < bytes.length; i++) {
    const altered = Buffer.from(bytes);
    altered[i] = (altered[i] ?? 0) ^ 1;
    expect(one.decrypt(`enc:1:${iv}.${altered.toString("base64")}`)).toBeNull();
  }
  expect(one.decrypt(encrypt("hello", randomBytes(32)))).toBeNull();
  for (const text of ["enc:1:", "enc:1:a.b", `enc:1:${iv}`, `enc:1:${iv}.${sealed}.x`, "enc:2:x"]) {
    expect(one.decrypt(text)).toBeNull();
  }
});

test("a closed grant has no key any more", () => {
  const one = opened();
  const text = encrypt("hello");
  one.close();
  expect(one.decrypt(text)).toBeNull();
});
