import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type OwnSshd, startOwnSshd } from "../../tests/setup/ownSshd.ts";
import { type SlowLine, slowLine } from "../../tests/support/slowLine.ts";
import { atLeastSpeed, type LeastSpeed } from "./atLeastSpeed.ts";
import { NodeClient } from "./nodeClient.ts";

let sshd: OwnSshd;
let line: SlowLine;

beforeAll(async () => {
  sshd = await startOwnSshd();
  line = await slowLine(sshd.target.port, { bytes: 2_048, everyMs: 20 });
});
afterAll(async () => {
  await line?.close();
  await sshd?.close();
});

function clientOn(port: number): NodeClient {
  const { host, user: username, path, hostKey } = sshd.target;
  const node = { id: "n", name: "n", host, port, username, path, hostKey, state: "active", addedAt: "" };
  const { privateKey } = sshd;
  return new NodeClient(node, { privateKey, onTrouble: () => undefined, onUp: () => undefined });
}

const size = 1024 * 1024;
const put = (client: NodeClient, speed: Omit<LeastSpeed, "bytes">) =>
  client.use("bulk", (link) =>
    atLeastSpeed(link, { bytes: 0, ...speed }, () =>
      link.put(
        ".tmp/a",
        (async function* () {
          yield randomBytes(size);
        })(),
        size,
      ),
    ),
  );

test("a node that trickles is cut off with its own error, and not tried again at once", async () => {
  const client = clientOn(line.port);
  await client.look();
  expect(client.status.state).toBe("up");
  await expect(put(client, { slackMs: 300 })).rejects.toMatchObject({ code: "NodeSlow", retryable: true });
  expect(client.status).toMatchObject({ state: "down", lastError: { code: "NodeSlow" } });
  expect(client.takesCopies).toBe(false);
  // What was cut off is removed with the next connection.
  await vi.waitFor(
    async () => {
      await client.look();
      expect(client.status.state).toBe("up");
    },
    { timeout: 10_000 },
  );
  expect(readdirSync(join(sshd.folder, ".tmp"))).toEqual([]);
  await client.close();
});

test("what is called off ends at once, with the caller's reason, and is no fault of the node", async () => {
  const client = clientOn(line.port);
  await client.look();
  const stop = new AbortController();
  const putting = put(client, { signal: stop.signal });
  stop.abort(new Error("no more"));
  await expect(putting).rejects.toThrow("no more");
  expect(client.status.lastError).toBeNull();
  await client.close();
});

test("one that is quick enough is left alone", async () => {
  const client = clientOn(sshd.target.port);
  await put(client, { slackMs: 5_000 });
  expect(client.status).toMatchObject({ state: "up", lastError: null });
  await client.close();
});
