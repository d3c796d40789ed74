import { type Logger, pino, stdSerializers } from "pino";
import pretty from "pino-pretty";
import type { LogLevel } from "./settings/index.ts";

export type { Logger } from "pino";

/** JSON lines on standard output; readable lines where a person watches. */
export function openLog(level: LogLevel, forPeople: boolean): Logger {
  const options = { level, serializers: { err: stdSerializers.errWithCause }, base: null };
  return forPeople
    ? pino(options, pretty({ sync: true, translateTime: "HH:MM:ss.l", ignore: "pid,hostname" }))
    : pino({ ...options, timestamp: () => `,"time":"${new Date().toISOString()}"` });
}
