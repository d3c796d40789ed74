import { once } from "node:events";
import net from "node:net";
import { Duplex } from "node:stream";
import { BusError, messageOf } from "../errors.ts";
import { passwordFor } from "./password.ts";
import { type Address, type DatabaseTarget, nameOf } from "./target.ts";
import { secured } from "./tls.ts";

/** Opens the sockets of one postgres.js client, and can cut all of them. */
export interface Connector {
  /** To be handed to postgres.js. */
  readonly options: {
    readonly host: string;
    readonly port: number;
    readonly socket: () => Promise<Duplex>;
  };
  /** For the socket that was opened last. */
  readonly password: () => string;
  /** Destroys every socket; no further one can be opened. */
  close(): void;
}

export interface ConnectorOptions {
  /** For all hosts together, TLS included. */
  readonly connectMs: number;
  /** What to think of a host that answers; rejects where it cannot be used. Absent: the first that answers is taken. */
  readonly judge?: (address: Address, limitMs: number) => Promise<Verdict>;
  /** Asked before each connection. False where a second one would know nothing of what the first has begun. */
  readonly mayConnect?: () => boolean;
}

export interface Verdict {
  readonly fits: boolean;
  /** Taken if no other host fits. */
  readonly suffices: boolean;
  /** As in `is a standby`. */
  readonly what: string;
}

/**
 * The driver's own sockets cannot be reached from outside, its handling of several hosts never rejects while all of them
 * are down, and what it says of TLS is ECONNRESET. So it is given sockets that are connected and, where wanted, encrypted.
 */
export function connectorFor(target: DatabaseTarget, options: ConnectorOptions): Connector {
  const { hosts, shuffled } = target;
  const ending = new AbortController();
  const sockets = new Set<net.Socket>();
  const anyHost = () => Math.floor(Math.random() * hosts.length);
  let password = "";
  /** Where the last connection was made: the next one is tried there first. */
  let favourite = shuffled ? anyHost() : 0;

  async function connectTo(index: number, limitMs: number): Promise<net.Socket> {
    const address = hosts[index] as Address;
    const secret = await passwordFor(target, address);
    const socket = await connect(target, address, limitMs, ending.signal, (opened) => {
      sockets.add(opened);
      opened.once("close", () => sockets.delete(opened));
    });
    password = secret;
    favourite = shuffled ? anyHost() : index;
    return socket;
  }

  async function open(): Promise<net.Socket> {
    if (ending.signal.aborted || !(options.mayConnect?.() ?? true)) throw closed();
    const endsAt = performance.now() + options.connectMs;
    const failures: { readonly name: string; readonly error: unknown }[] = [];
    let second: number | undefined;
    for (let tried = 0; tried < hosts.length; tried += 1) {
      const index = (favourite + tried) % hosts.length;
      const address = hosts[index] as Address;
      const share = (endsAt - performance.now()) / (hosts.length - tried);
      const limitMs = Math.max(1, Math.min(share, 1_000 * (target.connectSeconds ?? Infinity)));
      try {
        const verdict = await options.judge?.(address, limitMs);
        if (verdict?.fits ?? true) return await connectTo(index, limitMs);
        if (verdict?.suffices) second ??= index;
        failures.push({ name: nameOf(address), error: new Error(verdict?.what) });
      } catch (error) {
        if (ending.signal.aborted) throw closed();
        failures.push({ name: nameOf(address), error });
      }
    }
    if (second !== undefined) return await connectTo(second, options.connectMs);
    throw ofHosts(failures);
  }

  return {
    options: {
      host: "localhost",
      port: 5432,
      socket: () => open().catch((error: unknown) => brokenSocket(error)),
    },
    password: () => password,
    close() {
      ending.abort();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Connected and encrypted, as the target wants it, within the time. */
async function connect(
  target: DatabaseTarget,
  address: Address,
  limitMs: number,
  ending: AbortSignal,
  keep: (socket: net.Socket) => void,
): Promise<net.Socket> {
  const attempt = new AbortController();
  let isLate = false;
  const stop = () => attempt.abort();
  const late = () => {
    isLate = true;
    stop();
  };
  const timer = setTimeout(late, limitMs);
  ending.addEventListener("abort", stop);
  const place =
    "path" in address ? address : { host: address.address ?? address.host, port: address.port };
  const plain = net.connect(place);
  // Under TLS no one else can read it.
  plain.on("error", () => undefined);
  keep(plain);
  try {
    await once(plain, "connect", { signal: attempt.signal });
    if ("path" in address || target.tls === null) return plain;
    const secure = await secured(plain, address, target.tls, attempt.signal);
    if (secure !== plain) keep(secure);
    return secure;
  } catch (error) {
    plain.destroy();
    if (!isLate) throw error;
    const text = `${nameOf(address)} does not answer within ${Math.ceil(limitMs)} ms`;
    throw new BusError("unavailable", text, { cause: error });
  } finally {
    clearTimeout(timer);
    ending.removeEventListener("abort", stop);
  }
}

function closed(): Error {
  return Object.assign(new Error("the connection is closed"), { code: "CONNECTION_ENDED" });
}

/** Of one host its own error, for that says it all. */
function ofHosts(failures: readonly { readonly name: string; readonly error: unknown }[]): unknown {
  const [first, ...others] = failures;
  if (first === undefined || others.length === 0) {
    const { error, name } = first ?? { name: "", error: closed() };
    // What the judge says of the only host is no error of the network.
    return isVerdict(error) ? unusable(`${name} ${messageOf(error)}`, error) : error;
  }
  const each = failures.map(({ name, error }) => `${name}: ${inWords(error)}`).join("; ");
  // What a server says weighs more than that another one cannot be reached.
  const { error: cause } = failures.find(({ error }) => !isSystemError(error)) ?? first;
  return unusable(`none of the hosts can be used: ${each}`, cause);
}

function unusable(text: string, cause: unknown): BusError {
  return new BusError("unavailable", text, { cause });
}

function isVerdict(error: unknown): boolean {
  return error instanceof Error && !(error instanceof BusError) && !("code" in error);
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

function inWords(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return error instanceof BusError || code === "" ? messageOf(error) : code;
}

/**
 * The driver (3.4.9) cannot be told that there is no socket: it would wait for its end for ever. So it gets one that fails at
 * its first word.
 */
function brokenSocket(reason: unknown): Duplex {
  const error = reason instanceof Error ? reason : new Error(String(reason));
  const socket = new Duplex({
    emitClose: false,
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(error),
    destroy(cause, done) {
      done(cause);
      // With true it is an end in error, after which the driver waits longer and longer.
      setImmediate(() => socket.emit("close", true));
    },
  });
  return socket;
}
