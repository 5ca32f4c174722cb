import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeSshKey, type RunningSshd, type SshKey, startSshd } from "@connect-hub/runtime";

/** An sshd of one test's own, that may be killed and frozen, and how to log in there. */
export interface OwnSshd extends RunningSshd {
  readonly privateKey: string;
  /** For `connectNode`. */
  readonly target: { host: string; port: number; user: string; path: string; hostKey: string };
}

/** Starts one in a fresh folder that lets this key in. */
export async function startOwnSshd({ privateKey, publicKey }: SshKey = makeSshKey("test")): Promise<OwnSshd> {
  const dataDir = mkdtempSync(join(tmpdir(), "connect-hub-sshd-"));
  const privateOnly = process.env.HUB_SERVERS === "private";
  const sshd = await startSshd({ dataDir, authorizedKey: publicKey, privateOnly });
  const { port, user, hostKey, folder } = sshd;
  return {
    ...sshd,
    privateKey,
    target: { host: "127.0.0.1", port, user, path: folder, hostKey },
    async close() {
      await sshd.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
