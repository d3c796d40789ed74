import { DrizzleQueryError } from "drizzle-orm";
import postgres from "postgres";
import { BusError } from "../errors.ts";

/**
 * Turns what the driver threw into what the rest of the program understands; a bug comes back as it
 * is. No message and no cause carries the password or a parameter's value: PostgreSQL quotes refused
 * values in its messages, drizzle prints all parameters, so neither is passed on for refused data.
 */
export function translate(error: unknown): unknown {
  const cause = unwrap(error);
  if (cause instanceof BusError) return cause;
  if (cause instanceof postgres.PostgresError) return translateServerError(cause);
  if (isConnectionError(cause)) {
    const code = codeOf(cause);
    return new BusError("unavailable", `PostgreSQL cannot be reached (${code})`, { cause });
  }
  return cause;
}

/** True where a connection that had been made, or was half made, is gone: its pool is suspect. */
export function isBrokenConnection(error: unknown): boolean {
  const cause = unwrap(error);
  return brokenCodes.has(codeOf(cause)) && !(cause instanceof BusError);
}

/**
 * Where PostgreSQL, or a pooler before it, refuses the connection for what it asks for, which no waiting cures: a
 * `bad_request` with what to do, else null. Only for a start: later it would put the blame on the message in hand.
 */
export function refusedConnection(error: unknown): BusError | null {
  const cause = rootOf(error);
  if (!(cause instanceof postgres.PostgresError) || !isFatal(cause)) return null;
  if (!isIncurable(cause)) return null;
  const text = `PostgreSQL refuses the connection: ${cause.message} (${cause.code}); look at the parameters of LEARNER_DATABASE_URL (options, application_name)`;
  return new BusError("bad_request", text, { cause });
}

/** A pooler does not take what we set as a session begins. */
export function isStartupRefused(error: unknown): boolean {
  const cause = rootOf(error);
  return (
    cause instanceof postgres.PostgresError &&
    isFatal(cause) &&
    isIncurable(cause) &&
    /startup parameter|statement_timeout|plan_cache_mode|timezone|read_only/i.test(cause.message)
  );
}

/** What is under the sentences that a connector puts around it. */
function rootOf(error: unknown): unknown {
  const cause = unwrap(error);
  return cause instanceof BusError && cause.cause !== undefined ? rootOf(cause.cause) : cause;
}

/** Of the start-up message: a protocol violation, a syntax error, no such setting, a value it cannot have, not supported. */
const incurableCodes = new Set(["08P01", "42601", "42704", "22023", "0A000"]);

/** PgBouncer has 08P01 for all that happens to it, a server that is away as well. */
function isIncurable({ code, message }: postgres.PostgresError): boolean {
  return incurableCodes.has(code) && (code !== "08P01" || /startup/i.test(message));
}

/** It ends the session, or lets none begin. PgBouncer (1.18) says so in the field alone that PostgreSQL translates. */
function isFatal(error: postgres.PostgresError): boolean {
  return /^(FATAL|PANIC)$/.test(error.severity ?? error.severity_local ?? "");
}

function translateServerError(error: postgres.PostgresError): unknown {
  // FATAL is no statement's fault.
  if (isFatal(error)) return cannotServe(error);
  if (refusedClasses.has(error.code.slice(0, 2))) {
    const where = [error.table_name, error.column_name, error.constraint_name].filter(Boolean);
    const what = conditionNames[error.code] ?? "refused";
    const place = where.length > 0 ? ` at ${where.join(".")}` : "";
    return new BusError(
      "bad_request",
      `PostgreSQL refused the data: ${error.code} ${what}${place}`,
    );
  }
  if (awayClasses.has(error.code.slice(0, 2)) || awayCodes.has(error.code)) {
    return cannotServe(error);
  }
  return error;
}

function cannotServe(error: postgres.PostgresError): BusError {
  const text = `PostgreSQL cannot serve: ${error.message} (${error.code})`;
  return new BusError("unavailable", text, { cause: error });
}

/** Data: the same row will be refused again. */
const refusedClasses = new Set(["22", "23", "54"]);

/**
 * Connection, transaction rollback, resources, operator intervention, system; and 28, credentials
 * that an operator has to put right.
 */
const awayClasses = new Set(["08", "28", "40", "53", "57", "58"]);

/** What heals without us: a failover, a grant, a migration, a lock that somebody holds. */
const awayCodes = new Set([
  "25006", // read-only: the old primary, or a standby
  "25P03", // idle in a transaction for too long
  "3D000", // no such database
  "3F000", // no such schema
  "42501", // no permission
  "42P01", // no such table
  "42703", // no such column
  "55P03", // lock_timeout
]);

const conditionNames: Record<string, string> = {
  "22001": "string_data_right_truncation",
  "22003": "numeric_value_out_of_range",
  "22007": "invalid_datetime_format",
  "22008": "datetime_field_overflow",
  "22021": "character_not_in_repertoire",
  "22023": "invalid_parameter_value",
  "22P02": "invalid_text_representation",
  "22P05": "untranslatable_character",
  "23502": "not_null_violation",
  "23503": "foreign_key_violation",
  "23505": "unique_violation",
  "23514": "check_violation",
  "54000": "program_limit_exceeded",
};

const brokenCodes = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "25006", // read-only: a new connection may find the primary that has taken over
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
]);

const connectionCodes =
  /^(CONNECTION_\w+|CONNECT_TIMEOUT|E(CONN\w+|PIPE|TIMEDOUT|PROTO)|ENOTFOUND|EAI_\w+|ERR_(TLS|SSL|STREAM)_\w+|SASL_SIGNATURE_MISMATCH|AUTH_TYPE_NOT_IMPLEMENTED|CERT_\w+|\w*(SELF_SIGNED|UNABLE_TO)\w+)$/;

/** The driver's codes, TLS's, and every failed system call: a socket is all that is called here. */
function isConnectionError(error: unknown): boolean {
  return connectionCodes.test(codeOf(error)) || (error instanceof Error && "syscall" in error);
}

function unwrap(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? unwrap(error.cause) : error;
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}
