import { createHash } from "node:crypto";
import { opendirSync, statSync } from "node:fs";
import { extname, join, relative } from "node:path";

/** A file that the machine has. */
export interface RealFile {
  readonly path: string;
  readonly size: number;
  /** By its name; what has none that is known is `application/octet-stream`. */
  readonly type: string;
}

/** How many files of which size are wanted: at most `count` of more than the class before and at most `upTo` bytes. */
const classes = [
  { upTo: 0, count: 1 },
  { upTo: 100, count: 3 },
  { upTo: 4 * 1024, count: 8 },
  { upTo: 64 * 1024, count: 14 },
  { upTo: 1024 ** 2, count: 16 },
  { upTo: 4 * 1024 ** 2, count: 10 },
  { upTo: 12 * 1024 ** 2, count: 5 },
  { upTo: 24 * 1024 ** 2, count: 3 },
] as const;

const mostBytes = 150 * 1024 ** 2;
/** A folder of more is read no further. */
const mostEntries = 6_000;

const types: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".gif": "image/gif",
  ".gz": "application/gzip",
  ".html": "text/html",
  ".jpg": "image/jpeg",
  ".js": "text/javascript",
  ".json": "application/json",
  ".md": "text/markdown",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".ts": "text/plain",
  ".txt": "text/plain",
  ".wasm": "application/wasm",
  ".xml": "application/xml",
  ".zip": "application/zip",
};

/**
 * Chooses files from `folders`, the smallest first: the same ones whenever the folders hold the same, of as many sizes and kinds as
 * there are. Folders that don't exist are passed over.
 */
export function chooseFiles(folders: readonly string[]): readonly RealFile[] {
  const found = folders.flatMap(filesBelow).sort((a, b) => (a.order < b.order ? -1 : 1));
  const chosen: RealFile[] = [];
  let bytes = 0;
  let above = -1;
  for (const { upTo, count } of classes) {
    const fitting = found.filter(({ size }) => size > above && size <= upTo);
    for (const { path, size } of kindsInTurn(fitting).slice(0, count)) {
      if (bytes + size > mostBytes) continue;
      bytes += size;
      chosen.push({ path, size, type: types[extname(path)] ?? "application/octet-stream" });
    }
    above = upTo;
  }
  return chosen;
}

interface Found {
  readonly path: string;
  readonly size: number;
  /** Mixes the folders, the same way on every machine. */
  readonly order: string;
}

/** One of each kind, then a second of each kind, and so on. */
function kindsInTurn(files: readonly Found[]): readonly Found[] {
  const seen = new Map<string, number>();
  const ranked = files.map((file) => {
    const kind = extname(file.path);
    const rank = seen.get(kind) ?? 0;
    seen.set(kind, rank + 1);
    return { file, rank };
  });
  return ranked.sort((a, b) => a.rank - b.rank).map(({ file }) => file);
}

function filesBelow(folder: string): readonly Found[] {
  const found: Found[] = [];
  const open = [folder];
  for (let current = open.shift(); current !== undefined && found.length < mostEntries; current = open.shift()) {
    for (const { name, isFile } of entriesOf(current)) {
      const path = join(current, name);
      if (!isFile) open.push(path);
      else {
        const order = createHash("sha256").update(relative(folder, path)).digest("hex");
        found.push({ path, size: statSync(path).size, order });
      }
    }
  }
  return found;
}

/** Regular files and folders, by name; links are nobody's. */
function entriesOf(folder: string): readonly { readonly name: string; readonly isFile: boolean }[] {
  const entries: { readonly name: string; readonly isFile: boolean }[] = [];
  try {
    const handle = opendirSync(folder);
    try {
      for (let entry = handle.readSync(); entry !== null && entries.length < mostEntries; entry = handle.readSync()) {
        if (entry.isFile() || entry.isDirectory()) entries.push({ name: entry.name, isFile: entry.isFile() });
      }
    } finally {
      handle.closeSync();
    }
  } catch {
    // Gone, or not for this user.
    return [];
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}
