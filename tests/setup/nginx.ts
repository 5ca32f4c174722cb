import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findTestProgram, type WantedProgram } from "./testProgram.ts";

const wanted: WantedProgram = {
  names: ["nginx"],
  packages: ["nginx"],
  binary: "usr/sbin/nginx",
  versionFlag: "-v",
  install: "apt-get install nginx-light, or brew install nginx",
};

/** A running nginx. */
export interface Nginx {
  readonly pid: number;
  close(): Promise<void>;
}

/** Starts nginx with what stands in `http {}`. Throws and says how to install it when there is none and none can be fetched. */
export async function startNginx(http: string): Promise<Nginx> {
  const { path, env } = await findTestProgram(wanted);
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-nginx-"));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (one) => `${one}_temp_path ${folder}/${one};`,
  );
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr error;
     events {} http { access_log off; ${temporary.join(" ")}\n${http}\n}`,
  );
  const child = spawn(path, ["-p", folder, "-c", join(folder, "nginx.conf")], {
    env: { ...process.env, ...env },
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
    pid: child.pid ?? 0,
    async close() {
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
