import { createHash, randomFillSync } from "node:crypto";
import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { freePort, waitFor } from "@connect-hub/runtime";
import { startNginx } from "../setup/nginx.ts";
import { freshBox } from "../support/freshBox.ts";
import { startApps } from "./appProcess.ts";
import { type Bench, benchServers, median, partAtMost, round } from "./bench.ts";
import { makePeople } from "./people.ts";
import { cpuSecondsOf } from "./processCpu.ts";

const mebibyte = 1024 * 1024;
const fileBytes = 128 * mebibyte;
/** One after another in each run: the kernel tells CPU time in steps of 10 ms. */
const perRun = 8;
const pairs = 5;

/**
 * Downloads of a file of 128 MiB that is in the page cache: CPU of all our server processes, the right to read it and all,
 * against that of nginx sending the same file by sendfile.
 */
export const download: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  const ports = { ours: await freePort(), nginx: await freePort() };
  const projector = await startApps(["projector"], box.env);
  const {
    tokens: [token],
    rooms: [room],
  } = await makePeople(box, 1, [[0]]);
  const hub = await startApps(["edge", "commands"], { ...box.env, HUB_PORT: String(ports.ours) });
  const folder = join(String(box.env.HUB_CONTENT_DIR), "blobs");
  const nginx = await startNginx(
    `server { listen 127.0.0.1:${ports.nginx}; location / { root ${folder}; sendfile on; tcp_nopush on; } }`,
  );
  try {
    const headers = { authorization: `Bearer ${token}` };
    const bytes = randomFillSync(Buffer.alloc(fileBytes));
    const hash = createHash("sha256").update(bytes).digest("hex");
    const file = await upload(ports.ours, `/v1/files?room=${room}&name=large`, headers, bytes);
    const doors = {
      ours: {
        port: ports.ours,
        path: `/v1/files/${file}`,
        headers,
        cpu: () => servers.cpuSeconds() + hub.cpuSeconds() + projector.cpuSeconds(),
      },
      nginx: {
        port: ports.nginx,
        path: `/${hash.slice(0, 2)}/${hash}`,
        headers: {},
        cpu: () => cpuSecondsOf(nginx.pid),
      },
    };
    for (const door of Object.values(doors)) {
      await waitFor(() => isThere(door), { timeoutMs: 10_000 });
      if ((await hashOf(door)) !== hash) throw new Error(`${door.path} gave other bytes`);
    }
    const cpu = { ours: [] as number[], nginx: [] as number[] };
    const rate = { ours: [] as number[], nginx: [] as number[] };
    for (let pair = 1; pair <= pairs; pair++)
      for (const name of ["ours", "nginx"] as const) {
        const door = doors[name];
        const before = { cpu: door.cpu(), at: performance.now() };
        for (let at = 0; at < perRun; at++) await read(door);
        cpu[name].push(((door.cpu() - before.cpu) * 1_000) / perRun);
        rate[name].push((perRun * 128 * 1_000) / (performance.now() - before.at));
        say(`${pair}/${pairs} ${name}: ${round(cpu[name].at(-1) ?? 0)} CPU ms, ${round(rate[name].at(-1) ?? 0)} MiB/s`);
      }
    const more = {
      unit: "CPU ms a download",
      mibPerSecond: round(median(rate.ours)),
      nginxMibPerSecond: round(median(rate.nginx)),
    };
    return [partAtMost("download", { ours: cpu.ours, ceiling: cpu.nginx }, 5, more)];
  } finally {
    await Promise.all([hub.close(), projector.close(), nginx.close()]);
    await box.close();
    await servers.close();
  }
};

/** Where the file is had. */
interface Door {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

async function get({ port, path, headers }: Door): Promise<IncomingMessage> {
  const asked = request({ host: "127.0.0.1", port, path, headers }).end();
  return answerTo(asked);
}

async function answerTo(asked: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return response;
}

async function isThere(door: Door): Promise<boolean> {
  const response = await get(door).catch(() => undefined);
  response?.destroy();
  return response?.statusCode === 200;
}

async function read(door: Door, take: (chunk: Buffer) => void = () => undefined): Promise<void> {
  const response = await get(door);
  let got = 0;
  response.on("data", (chunk: Buffer) => {
    got += chunk.byteLength;
    take(chunk);
  });
  await once(response, "end");
  if (response.statusCode !== 200 || got !== fileBytes) throw new Error(`${response.statusCode}, ${got} bytes`);
}

async function hashOf(door: Door): Promise<string> {
  const hash = createHash("sha256");
  await read(door, (chunk) => hash.update(chunk));
  return hash.digest("hex");
}

/** The id of the file. */
async function upload(port: number, path: string, headers: Door["headers"], bytes: Buffer): Promise<string> {
  const sending = request({ host: "127.0.0.1", port, path, method: "POST", headers });
  sending.setHeader("content-length", bytes.byteLength);
  sending.end(bytes);
  const answer = JSON.parse(Buffer.concat(await (await answerTo(sending)).toArray()).toString());
  if (answer.ok === undefined) throw new Error(JSON.stringify(answer));
  return answer.ok.file;
}
