import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findSftpClient, makeSshKey, type RunningSshd, type SftpClient, startSshd } from "@connect-hub/runtime";
import { connectNode, nativeCrypto, putVerified } from "@connect-hub/ssh";
import { type Bench, median, partOf, round } from "./bench.ts";

const bytes = 256 * 1024 * 1024;
const pairs = 7;
const mebibyte = 1024 * 1024;

/** What a run of ours took, in seconds. */
interface Run {
  /** Connecting and writing, what OpenSSH's `sftp` does too. */
  readonly put: number;
  /** Making it durable, reading it back, renaming. */
  readonly verify: number;
}

/** Putting a file of 256 MiB on a node, against OpenSSH's `sftp` with the same bytes, cipher and sshd. */
export const move: Bench = async (say) => {
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-bench-"));
  const privateOnly = process.env.HUB_SERVERS === "private";
  const key = makeSshKey("bench");
  const keyFile = join(folder, "key");
  writeFileSync(keyFile, key.privateKey, { mode: 0o600 });
  const sshd = await startSshd({ dataDir: folder, authorizedKey: key.publicKey, privateOnly });
  try {
    const sftp = await findSftpClient({ privateOnly });
    const file = join(folder, "file");
    const hash = writeRandom(file);
    const ours: Run[] = [];
    const theirs: number[] = [];
    for (let pair = 1; pair <= pairs; pair++) {
      ours.push(await oursOnce(sshd, key.privateKey, { file, hash, name: `ours-${pair}` }));
      theirs.push(await sftpOnce(sshd, sftp, { keyFile, file, name: "theirs" }));
      say(`${pair}/${pairs} ours: ${rateOf(ours.at(-1)?.put)} MiB/s, sftp: ${rateOf(theirs.at(-1))} MiB/s`);
    }
    const rates = { ours: ours.map(({ put }) => rateOf(put)), ceiling: theirs.map(rateOf) };
    return [
      partOf("move", rates, 0.8, {
        unit: "MiB/s",
        verifySeconds: round(median(ours.map(({ verify }) => verify)), 2),
        verifiedMiBPerSecond: round(median(ours.map(({ put, verify }) => rateOf(put + verify)))),
        nativeCrypto: nativeCrypto(),
        openssh: sshd.version,
      }),
    ];
  } finally {
    await sshd.close();
    rmSync(folder, { recursive: true, force: true });
  }
};

async function oursOnce(
  { port, user, hostKey, folder: path }: RunningSshd,
  privateKey: string,
  { file, hash, name }: { readonly file: string; readonly hash: string; readonly name: string },
): Promise<Run> {
  const source = await open(file);
  const startedAt = performance.now();
  const link = await connectNode({ host: "127.0.0.1", port, user, path, hostKey }, { privateKey });
  let copiedAt = Number.NaN;
  const step = (done: string) => {
    if (done === "move.copied") copiedAt = performance.now();
  };
  const placed = await putVerified(link, { name, attempt: "1", source, size: bytes, hash, step });
  const endedAt = performance.now();
  await link.remove(placed.path);
  await Promise.all([link.close(), source.close()]);
  return { put: (copiedAt - startedAt) / 1_000, verify: (endedAt - copiedAt) / 1_000 };
}

/** Seconds that OpenSSH takes to connect and put the file. */
async function sftpOnce(
  { port, user, folder }: RunningSshd,
  { sftp, ssh, env }: SftpClient,
  { keyFile, file, name }: { readonly keyFile: string; readonly file: string; readonly name: string },
): Promise<number> {
  const target = join(folder, name);
  const batch = `${keyFile}.batch`;
  writeFileSync(batch, `put "${file}" "${target}"\n`);
  // No known hosts and no configuration of whoever runs this; the cipher is the one that ours takes.
  const settings = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes"];
  const args = ["-q", "-F", "none", "-S", ssh, "-b", batch, "-P", String(port), "-i", keyFile];
  const options = [...settings, "Ciphers=aes128-gcm@openssh.com"].flatMap((setting) => ["-o", setting]);
  const startedAt = performance.now();
  await promisify(execFile)(sftp, [...args, ...options, `${user}@127.0.0.1`], { env: { ...process.env, ...env } });
  const seconds = (performance.now() - startedAt) / 1_000;
  if (statSync(target).size !== bytes) throw new Error("sftp did not put the whole file");
  rmSync(target);
  return seconds;
}

/** Fills a file with bytes that nothing can squeeze; their SHA-256. */
function writeRandom(path: string): string {
  const sum = createHash("sha256");
  const file = openSync(path, "w");
  for (let written = 0; written < bytes; written += mebibyte) {
    const block = randomBytes(mebibyte);
    writeSync(file, block);
    sum.update(block);
  }
  closeSync(file);
  return sum.digest("hex");
}

function rateOf(seconds = Number.NaN): number {
  return round(bytes / mebibyte / seconds);
}
