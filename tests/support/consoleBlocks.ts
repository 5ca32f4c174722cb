/** One command of a document, and what the document says that it prints. */
export interface ShownCommand {
  /** The line of the document that it stands in, from 1. */
  readonly line: number;
  readonly command: string;
  /** What it prints, line by line, each with `…` for whatever differs from box to box; a line `…` stands for any lines. */
  readonly output: readonly string[];
  /** 0, unless the line after the output says `(exit code N)`. */
  readonly exitCode: number;
}

const exitLine = /^\(exit code (\d+)\)$/;

/** The commands in the `console` blocks of a Markdown text, in order: each begins with `$ `, what follows is what it prints. */
export function consoleBlocks(markdown: string): readonly ShownCommand[] {
  const commands: { line: number; command: string; output: string[]; exitCode: number }[] = [];
  let isInside = false;
  for (const [index, text] of markdown.split("\n").entries()) {
    if (text.startsWith("```")) {
      isInside = text === "```console";
      continue;
    }
    if (!isInside) continue;
    const current = commands.at(-1);
    const exit = exitLine.exec(text);
    if (text.startsWith("$ ")) commands.push({ line: index + 1, command: text.slice(2), output: [], exitCode: 0 });
    else if (current === undefined) throw new Error(`Line ${index + 1} is printed by no command: ${text}`);
    else if (exit !== null) current.exitCode = Number(exit[1]);
    else if (text.trim() !== "") current.output.push(text);
  }
  return commands;
}

/** The first line of what a document says that is not in what was printed, at its place in the order; undefined for none. */
export function missingLine(shown: readonly string[], printed: string): string | undefined {
  const lines = printed.split("\n").map(squeezed);
  let from = 0;
  return shown
    .filter((line) => line.trim() !== "…")
    .find((line) => {
      const pattern = new RegExp(`^${squeezed(line).split("…").map(escaped).join(".*")}$`);
      const at = lines.findIndex((one, index) => index >= from && pattern.test(one));
      from = at + 1;
      return at === -1;
    });
}

/** Columns are as wide as what is in them, and may be drawn with lines. */
const squeezed = (line: string): string => line.replace(/[\s│┌┬┐├┼┤└┴┘─]+/g, " ").trim();

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
