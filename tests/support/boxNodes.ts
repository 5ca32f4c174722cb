import { readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { openDataFolder, type RunningSshd, readOrMakeSshKey, startSshd } from "@connect-hub/runtime";

/** Content nodes of a box, on this machine. */
export interface BoxNodes {
  readonly all: readonly RunningSshd[];
  /** Stops them and removes what they have. May be called again. */
  close(): Promise<void>;
}

/** Starts nodes that let in the box of a data folder, in a folder of their own; the box is yet to be told of them. */
export async function startBoxNodes(boxFolder: string, folder: string, names: readonly string[]): Promise<BoxNodes> {
  const { publicKey } = readOrMakeSshKey(openDataFolder(boxFolder), "placement-ssh-key");
  const privateOnly = process.env.HUB_SERVERS === "private";
  const starts = names.map((name) => startSshd({ dataDir: folder, name, authorizedKey: publicKey, privateOnly }));
  const settled = await Promise.allSettled(starts);
  const all = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const close = async () => {
    await Promise.all(all.map((sshd) => sshd.close()));
    // As root it may lie elsewhere, where the account of sshd can reach it.
    for (const sshd of all) rmSync(dirname(sshd.folder), { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  };
  if (all.length === names.length) return { all, close };
  await close();
  await Promise.all(starts);
  throw new Error("A node did not start.");
}

/** What lies in a folder and below it, by its path in there; nothing when there is no such folder. */
export function filesIn(
  folder: string,
): readonly { readonly name: string; readonly size: number; readonly ino: number }[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const stats = statSync(join(folder, name), { throwIfNoEntry: false });
    return stats?.isFile() ? [{ name, size: stats.size, ino: stats.ino }] : [];
  });
}
