// Runs after npm ci: builds ssh2's native ciphers where ssh2's own install could not, because that fetches Node's headers from
// the network. Here they are those that lie beside the running node. Without a compiler or the headers nothing is built, and
// nothing fails: ssh2 then uses Node's own ciphers, at several times the CPU, and `hub doctor` says so.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

const folder = "node_modules/ssh2/lib/protocol/crypto";

/** The folder above `include/node` that belongs to this very node. */
function headers() {
  const home = dirname(dirname(realpathSync(process.execPath)));
  const file = join(home, "include/node/node_version.h");
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  const parts = ["MAJOR", "MINOR", "PATCH"].map(
    (part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(text)?.[1],
  );
  return parts.join(".") === process.versions.node ? home : undefined;
}

function build() {
  if (!existsSync(folder) || existsSync(join(folder, "build/Release/sshcrypto.node"))) return;
  const home = headers();
  const gyp = process.env.npm_config_node_gyp;
  if (home === undefined || gyp === undefined) return "Node's headers or node-gyp are missing";
  const openssl = process.versions.openssl.split(".")[0];
  const args = [gyp, "rebuild", `--nodedir=${home}`, `--real_openssl_major=${openssl}`];
  const { status, stderr, error } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: "utf8",
    timeout: 180_000,
  });
  if (status !== 0) return error?.message ?? stderr.trim().split("\n").at(-1);
}

const problem = build();
if (problem !== undefined) console.error(`ssh2's native ciphers were not built (${problem}).`);
