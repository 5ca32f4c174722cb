import { randomBytes, randomFillSync } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, waitFor } from "@connect-hub/runtime";
import { connect, register, signIn } from "@connect-hub/sdk";
import { WebSocket } from "ws";
import { freshBox } from "../support/freshBox.ts";
import { startApps, startScript } from "./appProcess.ts";
import { alternate, type Bench, benchServers, partOf } from "./bench.ts";

const mebibyte = 1024 * 1024;
const largeBytes = 256 * mebibyte;
const sideBySide = 4;
const pairs = 5;
const writeBytes = 256 * 1024;
const target = 0.6;

/** Where a file is sent, and what is done with it afterwards. */
interface Door {
  send(bytes: Buffer): Promise<void>;
}

/**
 * Files over HTTP into the edge, claim on the log included, against a bare Node server that pipes the request to disk with SHA-256. Both
 * sync the file before they answer.
 */
export const upload: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  const ports = { ours: await freePort(), bare: await freePort() };
  const folder = String(box.env.HUB_CONTENT_DIR);
  mkdirSync(folder, { recursive: true });
  const bareFile = fileURLToPath(new URL("bareUpload.ts", import.meta.url));
  const projector = await startApps(["projector"], box.env);
  const hub = await startApps(["commands", "edge"], { ...box.env, HUB_PORT: String(ports.ours) });
  const bare = await startScript(bareFile, { BARE_PORT: String(ports.bare), BARE_FOLDER: folder });
  try {
    await waitFor(async () => (await fetch(`http://127.0.0.1:${ports.ours}/ready`)).ok, { timeoutMs: 20_000 });
    const doors = { ours: await oursAt(ports.ours, folder), bare: bareAt(ports.bare) };
    const files = Array.from({ length: sideBySide }, () => randomFillSync(Buffer.alloc(largeBytes / sideBySide)));
    const large = Buffer.concat(files);
    say("a file of 256 MiB; both sync it to the disk before they answer");
    const one = await alternate(pairs, say, {
      ours: () => rateOf(() => doors.ours.send(large), largeBytes),
      bare: () => rateOf(() => doors.bare.send(large), largeBytes),
    });
    say(`${sideBySide} files of 64 MiB side by side`);
    const all = (door: Door) => async () => void (await Promise.all(files.map((file) => door.send(file))));
    const several = await alternate(pairs, say, {
      ours: () => rateOf(all(doors.ours), largeBytes),
      bare: () => rateOf(all(doors.bare), largeBytes),
    });
    const more = { unit: "MiB/s", ceilingSyncs: true };
    return [
      partOf("upload: one file of 256 MiB", { ours: one.ours, ceiling: one.bare }, target, more),
      partOf("upload: 4 files of 64 MiB at once", { ours: several.ours, ceiling: several.bare }, target, more),
    ];
  } finally {
    await Promise.all([hub.close(), projector.close(), bare.close()]);
    await box.close();
    await servers.close();
  }
};

/** MiB a second. */
async function rateOf(work: () => Promise<void>, bytes: number): Promise<number> {
  const began = performance.now();
  await work();
  return bytes / mebibyte / ((performance.now() - began) / 1_000);
}

async function oursAt(port: number, folder: string): Promise<Door> {
  const url = `http://127.0.0.1:${port}`;
  const person = { url, email: "ada@example.org", password: "a long enough password" };
  await register({ ...person, name: "Ada" });
  const { token, position } = await signIn(person);
  const client = connect({ url, token, position, WebSocket });
  const { room } = await client.command("createRoom", { name: "the archive" });
  client.close();
  return {
    async send(bytes) {
      const path = `/v1/files?room=${room}&name=large`;
      const answer = await post(port, path, bytes, { authorization: `Bearer ${token}` });
      const { hash } = (JSON.parse(answer) as { ok: { hash: string } }).ok;
      rmSync(join(folder, "blobs", hash.slice(0, 2), hash));
    },
  };
}

function bareAt(port: number): Door {
  return { send: async (bytes) => void (await post(port, "/", bytes, {})) };
}

/** The same sender for both: new bytes each time, as fast as they are taken. */
async function post(port: number, path: string, bytes: Buffer, headers: Record<string, string>): Promise<string> {
  randomBytes(16).copy(bytes);
  const sending = request({
    host: "127.0.0.1",
    port,
    path,
    method: "POST",
    headers: { ...headers, "content-length": bytes.length },
  });
  const answered = once(sending, "response");
  for (let at = 0; at < bytes.length; at += writeBytes) {
    if (!sending.write(bytes.subarray(at, at + writeBytes))) await once(sending, "drain");
  }
  sending.end();
  const [response] = await answered;
  let text = "";
  for await (const chunk of response) text += chunk;
  if (response.statusCode >= 300) throw new Error(`${response.statusCode} ${text}`);
  return text;
}
