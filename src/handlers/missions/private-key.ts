import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { messageOf } from "../../errors.ts";
import type { MissionSettings } from "./settings.ts";

/** The key that grants are wrapped for; null: none is set. A text: why the file is of no use. */
export function readPrivateKey({
  missionPrivateKey: file,
}: Pick<MissionSettings, "missionPrivateKey">): KeyObject | null | string {
  if (file === undefined) return null;
  try {
    const key = createPrivateKey(readFileSync(file));
    const { modulusLength } = key.asymmetricKeyDetails ?? {};
    if (key.asymmetricKeyType === "rsa" && modulusLength === 2_048) return key;
    return "MISSION_PRIVATE_KEY: must be an RSA key of 2,048 bits";
  } catch (error) {
    return `MISSION_PRIVATE_KEY: cannot be read as a PEM file: ${messageOf(error)}`;
  }
}
