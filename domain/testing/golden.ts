import { readFileSync } from "node:fs";

/**
 * The golden bytes of that name on `docs/format.md`: the text of the code block after `<!-- golden: name -->`. Where they
 * differ from what the code makes, stored data would be read differently: never mend it by changing the page.
 */
export function golden(name: string): string {
  const page = readFileSync(new URL("../../docs/format.md", import.meta.url), "utf8");
  const found = new RegExp(`<!-- golden: ${name} -->\\s*\`\`\`[a-z]*\\n([\\s\\S]*?)\\n\`\`\``).exec(page)?.[1];
  if (found === undefined) throw new Error(`docs/format.md shows no golden bytes for ${name}`);
  return found;
}
