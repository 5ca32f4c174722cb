import type { Finding } from "./judge.ts";

const shownFaults = 3;
const longestFault = 240;

/** The verdict as a table for people: a line for each check, and under it what is wrong. */
export function verdictText(findings: readonly Finding[], withColour: boolean): string {
  const paint = (code: number, text: string) => (withColour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, looked, faults }) => {
    const isGood = faults.length === 0;
    const line = `${isGood ? "✓" : "✗"} ${check.padEnd(width)}  ${looked}`;
    if (isGood) return [`  ${paint(32, line)}`];
    const shown = faults.slice(0, shownFaults).map((fault) => `      ${shorten(fault)}`);
    const more = faults.length > shownFaults ? [`      … and ${faults.length - shownFaults} more`] : [];
    return [`  ${paint(31, `${line}  ${faults.length} wrong`)}`, ...shown, ...more];
  });
  return lines.join("\n");
}

function shorten(text: string): string {
  const line = text.trim().replaceAll(/\s+/g, " ");
  return line.length > longestFault ? `${line.slice(0, longestFault)} …` : line;
}
