import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { BusError, messageOf } from "../errors.ts";
import { type Right, rights } from "../handlers/declared-endpoint.ts";
import type { Logger } from "../log.ts";
import { firstProblem } from "../schema/event-context.ts";
import { Compile, Type } from "../schema/typebox.ts";
import type { Caller } from "./route.ts";

export interface KnownToken extends Caller {
  readonly sha256: Buffer;
}

const lineSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 128 }),
    sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
    tenant_id: Type.String({ minLength: 1, maxLength: 128 }),
    may: Type.Array(Type.Enum([...rights]), { minItems: 1 }),
  },
  { additionalProperties: false },
);
const compiled = Compile(lineSchema);

/** Each is compared with whatever is given. */
const mostTokens = 1_000;
/** How old what is known of the file may be. */
const lookAgainMs = 1_000;

export const everyRight: ReadonlySet<Right> = new Set(rights);

export const hashOf = (token: string) => createHash("sha256").update(token).digest();

/** Reads the lines of a tokens file. Throws `bad_request` with the number of the line that is wrong, never its text. */
export function parseTokens(text: string): KnownToken[] {
  const lines = text.split("\n").map((line, index) => ({ line: line.trim(), number: index + 1 }));
  const tokens = lines.filter(({ line }) => line !== "").map(parseLine);
  if (tokens.length > mostTokens) {
    throw new BusError("bad_request", `${tokens.length} tokens, at most ${mostTokens}`);
  }
  const twice = tokens.find(({ name }, i) => tokens.findIndex((one) => one.name === name) !== i);
  if (twice) throw new BusError("bad_request", `two tokens have the name ${twice.name}`);
  return tokens;
}

function parseLine({ line, number }: { line: string; number: number }): KnownToken {
  const refuse = (why: string) => new BusError("bad_request", `line ${number}: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // The parser's own message repeats the text.
    throw refuse("not JSON");
  }
  if (!compiled.Check(value)) throw refuse(firstProblem(compiled.Errors(value)));
  const { name, sha256, tenant_id: tenantId, may } = value;
  return { name, tenantId, may: new Set(may), sha256: Buffer.from(sha256, "hex") };
}

export interface Tokens {
  /** All of them, as of a second ago at most. */
  known(): Promise<readonly KnownToken[]>;
}

/** Who has `token`: compared with every one, each time in the same time. */
export function holderOf(tokens: readonly KnownToken[], token: string): KnownToken | null {
  const hash = hashOf(token);
  let found: KnownToken | null = null;
  for (const one of tokens) if (timingSafeEqual(one.sha256, hash)) found = one;
  return found;
}

/** Those of `EXPERIENCE_HTTP_TOKEN`. */
export function singleToken(token: string): KnownToken {
  const name = "EXPERIENCE_HTTP_TOKEN";
  return { name, tenantId: "*", may: everyRight, sha256: hashOf(token) };
}

/**
 * Those of a file, read again when it changes. Throws `bad_request` when it cannot be read at first; later, what
 * was read last stays in force, and the log says why.
 */
export function openTokensFile(path: string, log: Logger, now: () => number): Tokens {
  const read = () => {
    try {
      return parseTokens(readFileSync(path, "utf8"));
    } catch (error) {
      throw new BusError("bad_request", `EXPERIENCE_HTTP_TOKENS: ${messageOf(error)}`);
    }
  };
  let tokens = read();
  let state = "";
  let lookAt = 0;
  let looking: Promise<void> | null = null;

  async function look(): Promise<void> {
    let found = "missing";
    try {
      const { mtimeNs, size, ino } = await stat(path, { bigint: true });
      found = `${mtimeNs}:${size}:${ino}`;
      if (found !== state) tokens = read();
      if (state !== "" && found !== state) log.info({ tokens: tokens.length }, "HTTP tokens read");
    } catch (error) {
      if (found !== state)
        log.error({ err: error }, "HTTP tokens cannot be read, the old ones stay");
    } finally {
      state = found;
      lookAt = now() + lookAgainMs;
      looking = null;
    }
  }

  return {
    async known() {
      if (now() >= lookAt) {
        looking ??= look();
        await looking;
      }
      return tokens;
    },
  };
}
