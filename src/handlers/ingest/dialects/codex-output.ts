import { type Failure, failureOf } from "../failure.ts";
import { contentText, type Fields, isFields, numberIn, objectIn, textIn } from "./fields.ts";

const header = /^(?:exit code|process exited with code):?\s*(-?\d{1,10})\s*$/i;
/** What stands before the output of a command is short. */
const headerLines = 8;

/** How a call of a tool of Codex ended: its output is a text, or an object, or that object as a text. */
export function codexFailure(output: unknown): Failure | null {
  const { exitCode, text, isError } = readOutput(output);
  if (!isError && (exitCode === undefined || exitCode === 0)) return null;
  const messages = [exitCode === undefined ? text : `Exit code ${exitCode}\n${text}`];
  return failureOf("tool", { types: [], messages, httpStatus: undefined });
}

interface Output {
  readonly exitCode: number | undefined;
  readonly text: string;
  readonly isError: boolean;
}

function readOutput(output: unknown): Output {
  if (typeof output === "string") {
    const parsed = output.startsWith("{") ? objectFrom(output) : null;
    return parsed === null ? readText(output) : readObject(parsed);
  }
  if (Array.isArray(output)) return readText(contentText(output));
  return isFields(output) ? readObject(output) : readText("");
}

function objectFrom(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) && ("output" in value || "metadata" in value) ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function readObject(object: Fields): Output {
  const inner = readText(textIn(object, "output") ?? contentText(object["content"]));
  const error = textIn(object, "error") ?? textIn(objectIn(object, "error"), "message");
  return {
    exitCode:
      numberIn(objectIn(object, "metadata"), "exit_code") ??
      numberIn(object, "exit_code") ??
      inner.exitCode,
    text: error ?? inner.text,
    isError:
      error !== undefined ||
      object["isError"] === true ||
      object["success"] === false ||
      inner.isError,
  };
}

function readText(text: string): Output {
  const lines = text.split("\n");
  const at = lines.slice(0, headerLines).findIndex((line) => header.test(line));
  // A call that never ran says so, and has no exit code.
  const isError =
    /^(?:failed to|execution error|exec command rejected|.{0,40}\brejected by user|.{0,40}\baborted by user)/i.test(
      text,
    );
  if (at < 0) return { exitCode: undefined, text, isError };
  const exitCode = Number(header.exec(lines[at] ?? "")?.[1]);
  const begins = lines.indexOf("Output:", at);
  return { exitCode, text: lines.slice(begins < 0 ? at + 1 : begins + 1).join("\n"), isError };
}
