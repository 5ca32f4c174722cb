import { readdir, readFile, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { levelOf, type PressureLevel } from "@connect-hub/domain/content";
import { isErrno, StoreFull } from "./errors.ts";
import { type Folders, partIn } from "./folders.ts";

/** How full a store is. */
export interface Usage {
  /** Bytes of all files, temporary ones too. */
  readonly used: number;
  /** Bytes that files may take. */
  readonly budget: number;
  readonly level: PressureLevel;
  /** So many bytes, promised to uploads or asked for by them, lacked room in the last minute; 0 when none did. */
  readonly wanted: number;
}

/** A file of the store. */
export interface StoredBlob {
  /** SHA-256, hex. */
  readonly hash: string;
  readonly size: number;
  readonly lastAccess: Date;
}

export interface Budget {
  /** Bytes that files may take; computed from the disk if left out. */
  readonly budgetBytes?: number | undefined;
  /** Bytes of the disk that are left to others; default 20 % of it, at most 20 GiB. */
  readonly reserveBytes?: number | undefined;
}

const GiB = 1024 ** 3;
const mostReserve = 20 * GiB;
/** A scan is not repeated before so long, nor before twenty times as long as it took. */
const leastScanMs = 1_000;
const scanShare = 20;
/** No upload may fill more than this share of the budget. */
const fullAt = 0.95;
/** So long an upload that was refused is thought to be tried again. */
const wantedMs = 60_000;

/** Keeps account of what a store takes and of what was promised room. */
export class Account {
  #files = { blobs: 0, tmp: 0, uploads: 0, promised: 0 };
  #scannedAt = Number.NEGATIVE_INFINITY;
  #tookMs = 0;
  #scanning: Promise<void> | undefined;
  #reserved = 0;
  #level: PressureLevel = "none";
  readonly #folders: Folders;
  readonly #budget: Budget;

  constructor(folders: Folders, budget: Budget) {
    this.#folders = folders;
    this.#budget = budget;
  }

  async usage(): Promise<Usage> {
    await this.#scan();
    const used = this.#used();
    const budget = await this.#budgetBytes(used);
    this.#level = levelOf(this.#level, used, budget);
    return { used, budget, level: this.#level, wanted: await this.#wanted() };
  }

  /** Keeps room; returns what gives it back. Throws `StoreFull`; unless `asks` is false that is remembered, so that room is made. */
  async reserve(bytes: number, { asks } = { asks: true }): Promise<() => void> {
    this.#reserved += bytes;
    let isHeld = true;
    const release = () => {
      if (isHeld) this.#reserved -= bytes;
      isHeld = false;
    };
    try {
      await this.#scan();
      const budget = await this.#budgetBytes(this.#used());
      // What was received of a reservation or a promise already is in `tmp` and `uploads`, which would count it twice.
      if (this.#files.blobs + this.#files.promised + this.#reserved > budget * fullAt) {
        if (asks && bytes <= budget * fullAt) await this.#askForRoom();
        throw new StoreFull();
      }
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  /** So many bytes more, or fewer, than at the last scan. */
  changed(bytes: number): void {
    this.#files.blobs = Math.max(0, this.#files.blobs + bytes);
  }

  /** Uploads that may be gone on with will have so many bytes more, or fewer, than at the last scan. */
  promised(bytes: number): void {
    this.#files.promised = Math.max(0, this.#files.promised + bytes);
  }

  #used(): number {
    return this.#files.blobs + this.#files.tmp + this.#files.uploads;
  }

  /** On a disk that is full to the last byte it can't be asked; then the level says enough. */
  async #askForRoom(): Promise<void> {
    await writeFile(this.#folders.wanted, String(this.#reserved), { mode: 0o600 }).catch(() => undefined);
  }

  async #wanted(): Promise<number> {
    const found = await statIfThere(this.#folders.wanted);
    if (found === undefined || Date.now() - found.mtimeMs > wantedMs) return 0;
    return Number(await readFile(this.#folders.wanted, "utf8")) || 0;
  }

  async #budgetBytes(used: number): Promise<number> {
    if (this.#budget.budgetBytes !== undefined) return this.#budget.budgetBytes;
    const disk = await statfs(this.#folders.blobs);
    const reserve = this.#budget.reserveBytes ?? Math.min(mostReserve, 0.2 * disk.blocks * disk.bsize);
    return Math.max(0, Math.floor(used + disk.bavail * disk.bsize - reserve));
  }

  #scan(): Promise<void> {
    const age = performance.now() - this.#scannedAt;
    if (age < Math.max(leastScanMs, this.#tookMs * scanShare)) return Promise.resolve();
    this.#scanning ??= this.#count().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  async #count(): Promise<void> {
    const began = performance.now();
    let blobs = 0;
    for await (const { size } of blobsIn(this.#folders)) blobs += size;
    let tmp = 0;
    for (const name of await readdir(this.#folders.tmp)) {
      const found = await statIfThere(join(this.#folders.tmp, name));
      // With a second name it is counted there.
      if (found?.nlink === 1) tmp += found.size;
    }
    this.#files = { blobs, tmp, ...(await uploadsIn(this.#folders)) };
    this.#scannedAt = performance.now();
    this.#tookMs = this.#scannedAt - began;
  }
}

/** The bytes of uploads that are open, and how many they will have. */
async function uploadsIn({ uploads: folder }: Folders): Promise<{ uploads: number; promised: number }> {
  let [uploads, promised] = [0, 0];
  for (const name of await readdir(folder)) {
    const part = await partIn(join(folder, name));
    const found = part === undefined ? undefined : await statIfThere(join(folder, name, part));
    // With a second name it is counted there.
    if (found?.nlink !== 1) continue;
    const record = await readFile(join(folder, name, "record"), "utf8").catch(() => "{}");
    uploads += found.size;
    promised += Math.max(found.size, Number((JSON.parse(record) as { readonly size?: number }).size ?? 0));
  }
  return { uploads, promised };
}

/** All files of a store. */
export async function* blobsIn(folders: Folders): AsyncGenerator<StoredBlob> {
  for (const prefix of await readdir(folders.blobs)) {
    for (const hash of await readdir(join(folders.blobs, prefix))) {
      const found = await statIfThere(join(folders.blobs, prefix, hash));
      if (found !== undefined) yield { hash, size: found.size, lastAccess: found.mtime };
    }
  }
}

async function statIfThere(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
