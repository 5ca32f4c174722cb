import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type OwnSshd, startOwnSshd } from "../../tests/setup/ownSshd.ts";
import { type CutLine, cutLine } from "../../tests/support/cutLine.ts";
import { type ConnectOptions, connectNode, type NodeTarget } from "./connectNode.ts";
import type { NodeLink } from "./nodeLink.ts";
import { nativeCrypto, probeHostKey } from "./ssh2.ts";

let sshd: OwnSshd;
let links: NodeLink[] = [];

beforeAll(async () => {
  sshd = await startOwnSshd();
});

afterEach(async () => {
  await Promise.all(links.map((link) => link.close()));
  links = [];
});

afterAll(() => sshd?.close());

async function connect(target: Partial<NodeTarget> = {}, options: Partial<ConnectOptions> = {}): Promise<NodeLink> {
  const link = await connectNode({ ...sshd.target, ...target }, { privateKey: sshd.privateKey, ...options });
  links.push(link);
  return link;
}

/** Bytes without an end, a little at a time, so that a transfer is always under way. */
async function* endless(): AsyncGenerator<Uint8Array> {
  const bytes = randomBytes(64 * 1024);
  for (;;) {
    yield bytes;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const huge = Number.MAX_SAFE_INTEGER;

/** Says how a promise was rejected and after how many milliseconds. */
async function rejection(promise: Promise<unknown>): Promise<{ code: unknown; afterMs: number }> {
  const since = performance.now();
  const error: unknown = await promise.then(
    () => "nothing",
    (reason: unknown) => reason,
  );
  const code = error instanceof Error && "code" in error ? error.code : error;
  return { code, afterMs: performance.now() - since };
}

describe("who is let in", () => {
  test("a node that shows another host key is told nothing", async () => {
    const wrong = `SHA256:${"A".repeat(43)}`;
    await expect(connect({ hostKey: wrong })).rejects.toMatchObject({
      code: "HostKeyMismatch",
      retryable: false,
      message: expect.stringContaining(sshd.hostKey),
    });
  });

  test("the host key can be asked for", async () => {
    expect(await probeHostKey({ host: "127.0.0.1", port: sshd.port })).toBe(sshd.hostKey);
  });

  test("another key, and another user, are refused", async () => {
    const other = await startOwnSshd();
    await other.close();
    const refused = { code: "LoginRefused", retryable: false };
    await expect(connect({}, { privateKey: other.privateKey })).rejects.toMatchObject(refused);
    await expect(connect({ user: "somebody" })).rejects.toMatchObject(refused);
  });

  test("a folder that isn't there, is a file, or is closed is a wrong path", async () => {
    const wrong = { code: "WrongPath", retryable: false };
    await expect(connect({ path: `${sshd.folder}/none` })).rejects.toMatchObject(wrong);
    writeFileSync(join(sshd.folder, "file"), "");
    await expect(connect({ path: `${sshd.folder}/file` })).rejects.toMatchObject(wrong);
    const closed = join(sshd.folder, "closed");
    mkdirSync(closed, { mode: 0o000 });
    await expect(connect({ path: closed })).rejects.toMatchObject(wrong);
    chmodSync(closed, 0o700);
    rmSync(closed, { recursive: true });
  });

  test("a path from where the login begins will do, with a slash at its end too", async () => {
    await (await connect({ path: "./" })).put("blobs/here", endless(), 0).catch(() => undefined);
    expect((await (await connect()).list("blobs")).map(({ name }) => name)).toContain("here");
  });
});

describe("a node that is away", () => {
  let server: Server | undefined;
  const sockets = new Set<Socket>();

  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server?.close();
  });

  async function serverThat(says: string, ends: boolean): Promise<number> {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      if (ends) socket.end(says);
      else socket.write(says);
    });
    const listening = server;
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    const address = listening.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  test("nobody listens", async () => {
    await expect(connect({ port: 1 })).rejects.toMatchObject({ code: "NodeUnreachable", retryable: true });
    await expect(connect({ host: "name.invalid" })).rejects.toMatchObject({ code: "NodeUnreachable" });
    await expect(probeHostKey({ host: "127.0.0.1", port: 1 })).rejects.toMatchObject({ code: "NodeUnreachable" });
  });

  test.each([
    ["says nothing", "", false],
    ["stops after its first line", "SSH-2.0-something\r\n", false],
    ["hangs up", "", true],
    ["is no sshd", "HTTP/1.1 400 Bad Request\r\n\r\n", true],
    ["talks without an end of its first line", "x".repeat(100_000), false],
  ])("what listens %s", async (_, says, ends) => {
    const port = await serverThat(says, ends);
    const found = await rejection(connect({ port }, { connectTimeoutMs: 300 }));
    expect(found.code).toBe("NodeUnreachable");
    expect(found.afterMs).toBeLessThan(2_000);
  });

  test("the attempt can be called off", async () => {
    const port = await serverThat("", false);
    const off = new AbortController();
    const connecting = connect({ port }, { signal: off.signal });
    off.abort(new Error("enough"));
    await expect(connecting).rejects.toThrow("enough");
    await expect(connect({}, { signal: off.signal })).rejects.toThrow("enough");
  });
});

describe("a line that dies with work under way", () => {
  /** Starts a write, a read and a question without an answer yet; all of them are rejected. */
  async function busy(link: NodeLink) {
    await link.put("blobs/big", endless(), 0).catch(() => undefined);
    writeFileSync(join(sshd.folder, "blobs/big"), randomBytes(40 * 1024 * 1024));
    let wrote = 0;
    const source = async function* () {
      for await (const bytes of endless()) {
        wrote += bytes.length;
        yield bytes;
      }
    };
    const reading = (async () => {
      for (;;) await link.hash("blobs/big");
    })();
    const all = [link.put("blobs/endless", source(), huge), reading].map(rejection);
    await vi.waitFor(() => expect(wrote).toBeGreaterThan(4 * 1024 * 1024), { timeout: 10_000 });
    return all;
  }

  async function allCut(all: readonly Promise<{ code: unknown; afterMs: number }>[], withinMs: number): Promise<void> {
    const since = performance.now();
    for (const found of await Promise.all(all)) expect(found.code).toBe("NodeCut");
    expect(performance.now() - since).toBeLessThan(withinMs);
    rmSync(join(sshd.folder, "blobs/endless"), { force: true });
  }

  test("sshd is killed: everything rejects at once, and the node comes back at the same port", async () => {
    const link = await connect();
    const all = await busy(link);
    sshd.signal("SIGKILL");
    await allCut(all, 2_000);
    expect(await link.closed).toMatchObject({ code: "NodeCut" });
    await expect(link.stat("blobs/big")).rejects.toMatchObject({ code: "NodeCut" });
    const again = await vi.waitFor(() => connect(), { timeout: 10_000, interval: 50 });
    expect(await again.stat("blobs/big")).toMatchObject({ size: 40 * 1024 * 1024 });
  });

  test("sshd is frozen: everything rejects after the idle time", async () => {
    const link = await connect({}, { idleTimeoutMs: 500 });
    const all = await busy(link);
    sshd.signal("SIGSTOP");
    try {
      await allCut(all, 3_000);
    } finally {
      sshd.signal("SIGCONT");
    }
  });

  test("sshd is frozen with nothing under way: that is noticed too", async () => {
    const link = await connect({}, { idleTimeoutMs: 500 });
    sshd.signal("SIGSTOP");
    try {
      expect(await link.closed).toMatchObject({ code: "NodeCut" });
    } finally {
      sshd.signal("SIGCONT");
    }
  });

  test("the line is cut in the middle", async () => {
    const line: CutLine = await cutLine(`ssh://127.0.0.1:${sshd.port}`);
    const link = await connect({ port: Number(new URL(line.url).port) });
    const all = await busy(link);
    await line.cut();
    await allCut(all, 1_000);
  });

  test("the source of a put has nothing more to give yet: it rejects all the same", async () => {
    const line: CutLine = await cutLine(`ssh://127.0.0.1:${sshd.port}`);
    const link = await connect({ port: Number(new URL(line.url).port) });
    let over = false;
    async function* stuck() {
      try {
        yield randomBytes(100);
        await new Promise(() => undefined);
      } finally {
        over = true;
      }
    }
    const opened = vi.fn();
    const put = rejection(link.put("blobs/stuck", stuck(), 200, opened));
    await vi.waitFor(() => expect(opened).toHaveBeenCalled());
    await line.cut();
    await allCut([put], 1_000);
    // It is told to end, but it hangs in something of its own.
    expect(over).toBe(false);
  });

  test("it is closed here: what is open rejects, and the end was nobody's fault", async () => {
    const link = await connect();
    const all = await busy(link);
    await link.close();
    await allCut(all, 1_000);
    await link.close();
    expect(await link.closed).toBeUndefined();
  });

  test("a frozen node does not hold up the closing", async () => {
    const link = await connect();
    sshd.signal("SIGSTOP");
    const since = performance.now();
    await link.close();
    sshd.signal("SIGCONT");
    expect(performance.now() - since).toBeLessThan(3_000);
  });
});

/** A small disk of its own in the node's folder; undefined where this process may not mount one. */
function smallDisk(): { readonly path: string; unmount(): void } | undefined {
  const path = join(sshd.folder, "small");
  mkdirSync(path, { recursive: true });
  const shell = (command: string) => spawnSync("/bin/sh", ["-c", command, "sh", path]).status === 0;
  const mounted = shell('mount -t tmpfs -o size=4m,mode=777 tmpfs "$1"');
  return mounted ? { path, unmount: () => void shell('umount -l "$1"') } : undefined;
}

test("a full disk is told from other failures", async (context) => {
  const disk = smallDisk();
  if (disk === undefined) return context.skip("no right to mount a small disk");
  try {
    const link = await connect({ path: disk.path });
    await expect(link.put("blobs/large", endless(), huge)).rejects.toMatchObject({
      code: "NodeFull",
      retryable: false,
    });
    expect(await link.freeBytes()).toBe(0);
    await link.remove("blobs/large");
    expect(await link.freeBytes()).toBeGreaterThan(3 * 1024 * 1024);
  } finally {
    disk.unmount();
  }
});

test("many links at once", async () => {
  const many = await Promise.all(Array.from({ length: 10 }, () => connect()));
  const free = await Promise.all(many.map((link) => link.freeBytes()));
  expect(free.every((bytes) => bytes !== undefined && bytes > 0)).toBe(true);
});

test("whether the native cipher code was built is told", () => {
  expect(typeof nativeCrypto()).toBe("boolean");
});
