import { chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, realpathSync, statSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type DataFolder, isRoot } from "./dataFolder.ts";
import { RuntimeError } from "./errors.ts";
import { remove } from "./files.ts";
import { sharedFolder } from "./findServer.ts";
import { run } from "./run.ts";
import type { Account } from "./serverProgram.ts";

/**
 * The account that a server runs as when this process is root: the owner of `made`, what it made before, else the first of
 * `names` that there is. `undefined` when this process isn't root: then as itself.
 * @throws RuntimeError `ServerFailed` with the message `otherwise` when there is no such account
 */
export async function unprivilegedAccount(
  made: string,
  names: readonly string[],
  otherwise: string,
): Promise<Account | undefined> {
  if (!isRoot()) return undefined;
  const there = statSync(made, { throwIfNoEntry: false });
  if (there !== undefined && there.uid !== 0) return { uid: there.uid, gid: there.gid };
  for (const name of names) {
    try {
      const [uid, gid] = await Promise.all(["-u", "-g"].map((flag) => run("id", [flag, name])));
      if (uid !== undefined && gid !== undefined) return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // There is no such account; the next one may be there.
    }
  }
  throw new RuntimeError("ServerFailed", otherwise);
}

/**
 * The folder of that name in the data folder, made where it is missing, as the account's own, or, where the account can't get
 * there, a link of that name to a folder that it can reach; then the folder that it leads to.
 * @throws RuntimeError `DataUnusable` when what it holds can't be reached any more
 */
export async function reachableHome(folder: DataFolder, name: string, account: Account | undefined): Promise<string> {
  const home = join(folder.path, name);
  const there = lstatSync(home, { throwIfNoEntry: false });
  if (there?.isSymbolicLink() !== true) {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    if (account === undefined) return home;
    chownSync(home, account.uid, account.gid);
    if (await canUse(home, account)) return home;
    if (existsSync(join(home, "data"))) {
      throw new RuntimeError(
        "DataUnusable",
        `The account ${account.uid} can't reach ${home} any more; open the way to it.`,
      );
    }
    remove(home);
    mkdirSync(sharedFolder, { recursive: true, mode: 0o755 });
    const elsewhere = mkdtempSync(join(sharedFolder, `${basename(dirname(folder.path))}-`));
    chownSync(elsewhere, account.uid, account.gid);
    symlinkSync(elsewhere, home);
  }
  if (!existsSync(home))
    throw new RuntimeError("DataUnusable", `${home} leads nowhere: the folder of ${name} is gone.`);
  return realpathSync(home);
}

async function canUse(path: string, account: Account): Promise<boolean> {
  const probe = run("/bin/sh", ["-c", 'cd "$1" && : > .probe && rm .probe', "sh", path], { cwd: "/", ...account });
  return probe.then(
    () => true,
    () => false,
  );
}
