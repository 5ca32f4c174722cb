import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { DownloadStep, MoveStep, UploadStep } from "@connect-hub/domain/content";
import { newKey } from "../demo/newKey.ts";
import { bytesFrom, type Random } from "../faults/random.ts";
import { downloadSurely, uploadSurely } from "../support/fileDoor.ts";
import type { CrashBox } from "./crashBox.ts";

/** A file that the hub said it has. */
export interface Kept {
  readonly file: string;
  /** SHA-256 of what was sent, 64 hex digits. */
  readonly hash: string;
  readonly size: number;
  readonly key: string;
  /** From which its bytes can be made again. */
  readonly seed: string;
}

/** What one strike showed. */
export interface Struck {
  /** Whether the process died where it was told to. */
  readonly isHit: boolean;
  /** Acknowledged files that could not be had. */
  readonly lost: readonly string[];
  /** Files that came with other bytes, or that a repeated upload doubled. */
  readonly wrong: readonly string[];
}

/** What strikes are made on. */
export interface Scene {
  readonly box: CrashBox;
  readonly room: string;
  /** All files so far. */
  readonly kept: Kept[];
  readonly random: Random;
}

const uploadMs = 60_000;
const downloadMs = 45_000;
/** Uploads after which a step that nobody came by counts as not hit. */
const mostTries = 40;
/** Downloads for so long: nothing is fetched back onto a disk that is too full for it, until placement has made room. */
const fetchMs = 30_000;
const fetchEveryMs = 50;

/** Lets the edge die at a step of an upload; the uploads go on, and are then repeated with their keys. */
export async function strikeUpload(step: UploadStep, scene: Scene): Promise<Struck> {
  const { box, random } = scene;
  box.arm(step, random.between(1, 3));
  const touched: Kept[] = [];
  for (let tries = 0; box.isArmed(step) && tries < mostTries; tries++) {
    touched.push(...(await uploadSome(scene, { count: 2, mostBytes: 1_600_000 })));
  }
  const isHit = !box.isArmed(step);
  await box.edge.ready();
  const doubled = await Promise.all(touched.map((one) => repeat(one, scene)));
  const { lost, wrong } = await check(touched, scene);
  return { isHit, lost, wrong: [...wrong, ...doubled.flat()] };
}

/** Lets placement die at a step of a move: new files push older ones out until it does. */
export async function strikeMove(step: MoveStep, scene: Scene): Promise<Struck> {
  const { box, random } = scene;
  box.arm(step, random.between(1, 2));
  const touched: Kept[] = [];
  for (let tries = 0; box.isArmed(step) && tries < mostTries; tries++) {
    touched.push(...(await uploadSome(scene, { count: 2, mostBytes: 1_000_000 })));
    // What is on its way already may be enough.
    for (let looks = 0; looks < 5 && box.isArmed(step); looks++) await delay(20);
  }
  const isHit = !box.isArmed(step);
  await box.placement.ready();
  return { isHit, ...(await check([...touched, ...olderOnes(scene)], scene)) };
}

/** Lets placement die while it gives bytes that a node alone has. */
export async function strikeDownload(step: DownloadStep, scene: Scene): Promise<Struck> {
  const { box, random } = scene;
  box.arm(step, random.between(1, 2));
  const touched: Kept[] = [];
  const until = performance.now() + fetchMs;
  for (; box.isArmed(step) && performance.now() < until; await delay(fetchEveryMs)) {
    const away = awayOnes(scene);
    // An odd one out may be on the server again before it is asked for.
    if (away.length === 0) touched.push(...(await uploadSome(scene, { count: 3, mostBytes: 1_000_000 })));
    else touched.push(...random.shuffled(away).slice(0, 2));
    const { lost, wrong } = await check(touched.slice(-2), scene);
    if (lost.length + wrong.length > 0) return { isHit: !box.isArmed(step), lost, wrong };
  }
  const isHit = !box.isArmed(step);
  await box.placement.ready();
  return { isHit, ...(await check(olderOnes(scene), scene)) };
}

/** Downloads files; each must come as it was brought. */
export async function check(files: readonly Kept[], { box: { door } }: Pick<Scene, "box">) {
  const lost: string[] = [];
  const wrong: string[] = [];
  await Promise.all(
    files.map(async ({ file, hash, size }) => {
      const got = await downloadSurely(door, file, downloadMs).catch(String);
      if (typeof got === "string") lost.push(`${file}: ${got}`);
      else if (got.hash !== hash || got.bytes !== size)
        wrong.push(`${file}: ${got.bytes} of ${size} bytes, ${got.hash}`);
    }),
  );
  return { lost, wrong };
}

async function uploadSome(
  scene: Scene,
  { count, mostBytes }: { count: number; mostBytes: number },
): Promise<readonly Kept[]> {
  const { box, room, kept, random } = scene;
  const files = await Promise.all(
    Array.from({ length: count }, async (): Promise<Kept> => {
      const key = newKey();
      const seed = key;
      const bytes = bytesFrom(seed, random.between(0, mostBytes));
      const upload = { room, name: `${key}.bin`, type: "application/octet-stream", key };
      const { file } = await uploadSurely(box.door, upload, bytes, uploadMs);
      const hash = createHash("sha256").update(bytes).digest("hex");
      return { file, hash, size: bytes.length, key, seed };
    }),
  );
  kept.push(...files);
  return files;
}

/** The same upload once more: nothing may come of it but the first answer. */
async function repeat({ key, seed, size, file }: Kept, { box, room }: Scene): Promise<readonly string[]> {
  const upload = { room, name: `${key}.bin`, type: "application/octet-stream", key };
  const again = await uploadSurely(box.door, upload, bytesFrom(seed, size), uploadMs);
  return again.file === file ? [] : [`${key} was ${file}, and is ${again.file} when it is repeated`];
}

function awayOnes({ box, kept }: Scene): readonly Kept[] {
  const local = box.local();
  return kept.filter(({ hash, size }) => size > 0 && !local.has(hash));
}

function olderOnes({ kept, random }: Scene): readonly Kept[] {
  return random.shuffled(kept.slice(0, -4)).slice(0, 2);
}
