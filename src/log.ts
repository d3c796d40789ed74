import { type Logger, pino, stdSerializers } from "pino";
import { prettyFactory } from "pino-pretty";
import { openLogOutput } from "./process/log-output.ts";
import type { LogLevel } from "./settings/index.ts";

export type { Logger } from "pino";

const warnLevel = 40;

/** JSON lines on standard output, or error; readable lines where a person watches. Logging never stops the work. */
export function openLog(level: LogLevel, forPeople: boolean, fd: 1 | 2 = 1): Logger {
  const options = { level, serializers: { err: stdSerializers.errWithCause }, base: null };
  const time = () => `,"time":"${new Date().toISOString()}"`;
  const lostLine = (count: number, why: string) => {
    const msg = `${count} lines of the log are lost: they could not be written (${why})`;
    return `{"level":${warnLevel}${time()},"lost":${count},"msg":${JSON.stringify(msg)}}\n`;
  };
  if (!forPeople) return pino({ ...options, timestamp: time }, openLogOutput(fd, lostLine));
  const readable = prettyFactory({ translateTime: "HH:MM:ss.l", ignore: "pid,hostname" });
  const output = openLogOutput(fd, (count, why) => readable(lostLine(count, why)));
  return pino(options, { write: (line: string) => output.write(readable(line)) });
}
