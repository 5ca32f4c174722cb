import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { defaultCacheFolder } from "@connect-hub/runtime";

const run = promisify(execFile);

/** A running nginx. */
export interface Nginx {
  close(): Promise<void>;
}

/**
 * Starts nginx with what stands in `http {}`. It is the one on this machine, or the one that apt gives, unpacked beside the other servers that were
 * fetched. Throws and says how to install it when there is none.
 */
export async function startNginx(http: string): Promise<Nginx> {
  const program = await findNginx();
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-nginx-"));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (one) => `${one}_temp_path ${folder}/${one};`,
  );
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr error;
     events {} http { access_log off; ${temporary.join(" ")}\n${http}\n}`,
  );
  const child = spawn(program, ["-p", folder, "-c", join(folder, "nginx.conf")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let said = "";
  child.stderr.on("data", (bytes) => {
    said += bytes;
  });
  void ended.then(() => {
    if (child.exitCode !== 0) process.stderr.write(`nginx ended: ${said}\n`);
  });
  return {
    async close() {
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function findNginx(): Promise<string> {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  const installed = folders.map((one) => join(one, "nginx")).find((one) => existsSync(one));
  if (installed !== undefined) return installed;
  const folder = join(defaultCacheFolder(), "nginx");
  const fetched = join(folder, "usr/sbin/nginx");
  try {
    if (!existsSync(fetched)) await fetchNginx(folder);
    return fetched;
  } catch (error) {
    throw new Error("docs/proxy.md needs a real nginx to be tried. Install one: apt-get install nginx-light", {
      cause: error,
    });
  }
}

async function fetchNginx(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const download = () => run("apt-get", ["-qq", "-o", "APT::Sandbox::User=", "download", "nginx"], { cwd: folder });
  // Lists of packages may be missing, or older than the mirror.
  await download().catch(async () => {
    await run("apt-get", ["-qq", "update"]);
    await download();
  });
  const deb = readdirSync(folder).find((name) => name.endsWith(".deb")) ?? "";
  await run("dpkg-deb", ["-x", join(folder, deb), folder]);
}
