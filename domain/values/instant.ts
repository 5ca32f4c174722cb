/** How an instant is written. */
export const instantForm = "a date, or a date and a time with its zone: 2026-11-23 or 2026-11-23T10:00:00Z";

const form = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

/** An instant in milliseconds; undefined for what is none. A date alone is its beginning in UTC; a time says its zone, or it could be meant in any. */
export function parseInstant(text: string): number | undefined {
  const date = form.exec(text)?.[1];
  if (date === undefined) return undefined;
  const ms = Date.parse(text);
  // `Date` takes 31 February for a day in March.
  const isDay = !Number.isNaN(ms) && new Date(date).toISOString().startsWith(date);
  return isDay ? ms : undefined;
}
