import { readdir, rm, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { UploadStep } from "@connect-hub/domain/content";
import { isErrno, WrongBytes } from "./errors.ts";
import { openFolders, syncFolder } from "./folders.ts";
import { type ReadOptions, readRange } from "./read.ts";
import { type Received, type ReceiveOptions, receive } from "./receive.ts";
import { openUploads, type Uploads } from "./uploads.ts";
import { Account, type Budget, blobsIn, type StoredBlob, type Usage } from "./usage.ts";

export interface BlobStoreOptions extends Budget {
  /** Made if it is not there. Several processes may have it open. */
  readonly folder: string;
  /** Whose the temporary files are. */
  readonly owner: Owner;
  /** Told of each step that `uploads` left something behind. */
  readonly step?: ((name: UploadStep) => void | Promise<void>) | undefined;
}

/** A name for a process that no later one can have; letters, digits, `-` and `_`. */
export interface Owner {
  readonly mine: string;
  /** Whether the process of that name still runs. */
  isAlive(name: string): boolean;
}

/** Bytes by their hash (SHA-256, hex) on the server's disk. */
export interface BlobStore {
  /**
   * Keeps room for so many bytes; returns what gives it back. Throws `StoreFull` beyond 95 % of the budget; unless `asks` is false
   * `usage` tells of it for a while, so that whoever moves bytes away makes room.
   */
  reserve(bytes: number, how?: { readonly asks: boolean }): Promise<() => void>;
  /** Takes bytes in. Throws `WrongBytes`, `StoreFull` and what the source throws; then nothing is left of them. */
  receive(source: AsyncIterable<Uint8Array>, options: ReceiveOptions): Promise<Received>;
  /** Takes bytes in that must have this hash, and keeps them. Throws as `receive`. */
  fill(hash: string, source: AsyncIterable<Uint8Array>, declaredBytes: number): Promise<void>;
  /** The size of what is here under that hash; undefined when it is not. */
  sizeOf(hash: string): Promise<number | undefined>;
  /**
   * The bytes `from` (inclusive) to `to` (exclusive). Throws `ENOENT` when they are not here; who began reads to the end. It counts as
   * an access unless `isAccess` is false.
   */
  read(hash: string, from: number, to: number, how?: ReadOptions): AsyncIterable<Uint8Array>;
  /** What is here, in no order. */
  list(): AsyncIterable<StoredBlob>;
  /** Removes the bytes, durably; whether they were here. */
  drop(hash: string): Promise<boolean>;
  /** How full it is; looks at the files at most once a second. */
  usage(): Promise<Usage>;
  /** Those that may be gone on with after a break. */
  readonly uploads: Uploads;
  /** How many files there are that processes left half done which run no more. */
  leftovers(): Promise<number>;
  /** Removes them, and uploads whose time is over; how many. */
  sweep(): Promise<number>;
}

const ownerPattern = /^[\w-]+$/;

/** Opens the store in a folder. Throws what the file system throws. */
export async function openBlobStore(options: BlobStoreOptions): Promise<BlobStore> {
  const { owner } = options;
  if (!ownerPattern.test(owner.mine)) throw new TypeError(`"${owner.mine}" can't be part of a file's name`);
  const folders = await openFolders(options.folder);
  const account = new Account(folders, options);
  const store = { folders, owner: owner.mine, onStored: (bytes: number) => account.changed(bytes) };
  const uploads = openUploads({ ...store, isAlive: owner.isAlive, account, step: options.step });

  async function dead(): Promise<readonly string[]> {
    return (await readdir(folders.tmp)).filter((name) => !owner.isAlive(name.slice(0, name.indexOf("."))));
  }

  return {
    reserve: (bytes, how) => account.reserve(bytes, how),
    receive: (source, how) => receive(source, how, store),
    async fill(hash, source, declaredBytes) {
      const received = await receive(source, { declaredBytes }, store);
      try {
        if (received.hash !== hash) throw new WrongBytes(`the bytes have another hash than ${hash}`);
        await received.commit();
      } finally {
        await received.discard();
      }
    },
    async sizeOf(hash) {
      try {
        return (await stat(folders.blob(hash))).size;
      } catch (error) {
        if (isErrno(error, "ENOENT")) return undefined;
        throw error;
      }
    },
    read: (hash, from, to, how) => readRange(folders.blob(hash), from, to, how),
    list: () => blobsIn(folders),
    async drop(hash) {
      const path = folders.blob(hash);
      try {
        const { size } = await stat(path);
        await unlink(path);
        account.changed(-size);
      } catch (error) {
        if (isErrno(error, "ENOENT")) return false;
        throw error;
      }
      await syncFolder(dirname(path));
      return true;
    },
    uploads,
    usage: () => account.usage(),
    leftovers: async () => (await dead()).length,
    async sweep() {
      const names = await dead();
      for (const name of names) await rm(join(folders.tmp, name), { recursive: true, force: true });
      return names.length + (await uploads.sweep());
    },
  };
}
