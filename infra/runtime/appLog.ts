import { type Logger, pino } from "pino";

/** What an app logs with: JSON lines on standard error. Of errors it keeps kind, code, text, stack and cause, and nothing of what hangs on them. */
export function appLog(name: string, level: string): Logger {
  return pino({ name, level, base: { name, pid: process.pid }, serializers: { err: plainError } }, pino.destination(2));
}

/** An error as plain data. */
export function plainError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  const code = "code" in error ? error.code : undefined;
  return { type: name, code, message, stack, ...(cause !== undefined && { cause: plainError(cause) }) };
}
