import { Duplex } from "node:stream";
import { describe, expect, test, vi } from "vitest";
import { type NodeLink, nodeLink } from "./nodeLink.ts";
import { packetSplitter } from "./packetSplitter.ts";
import { SftpSession } from "./sftpSession.ts";
import { encodeRequest, type Field, PacketReader, packet, requestBytes, status } from "./wire.ts";

/** What a scripted server is asked. */
interface Asked {
  readonly type: number;
  readonly id: number;
  readonly body: PacketReader;
}

/** Answers as a server of the test's own; `say` sends any bytes. "later" tells that it will, when it hasn't yet. */
type Script = (asked: Asked, say: (bytes: Uint8Array) => void) => unknown;

function encode(type: number, id: number | undefined, fields: readonly Field[]): Buffer {
  const bytes = Buffer.alloc(requestBytes({ type, id, fields }));
  encodeRequest({ type, id, fields }, bytes, 0);
  return bytes;
}

const answer = (type: number, id: number, ...fields: Field[]) => encode(type, id, fields);
const statusOf = (id: number, code: number, message = "") => answer(packet.status, id, code, message, "");
const version = (...extensions: string[]) =>
  encode(
    packet.version,
    undefined,
    [3 as Field].concat(extensions.flatMap((name) => [name, name.startsWith("statvfs") ? "2" : "1"])),
  );

/** A stream to a server that does as `script` says. */
function serverThat(script: Script): Duplex {
  const split = packetSplitter((bytes) => {
    const body = new PacketReader(bytes);
    const type = body.byte();
    script({ type, id: type === packet.init ? 0 : body.uint32(), body }, (said) =>
      setImmediate(() => stream.push(said)),
    );
  });
  const stream: Duplex = new Duplex({
    read: () => undefined,
    write(chunk: Uint8Array, _encoding, done) {
      split(chunk);
      done();
    },
  });
  return stream;
}

const folder = [4, 0o040700];
const handle = Buffer.from("h");

/** Answers what opens a link and a file, so that a script needs to say only what is special about it. */
function goodServer(special: Script, ...extensions: string[]): Script {
  return (asked, say) => {
    let said = false;
    const word = special(asked, (bytes) => {
      said = true;
      say(bytes);
    });
    if (said || word === "later") return;
    const { type, id } = asked;
    if (type === packet.init) say(version(...extensions));
    else if (type === packet.stat) say(answer(packet.attrs, id, ...folder));
    else if (type === packet.open || type === packet.opendir) say(answer(packet.handle, id, handle));
    else if (type === packet.close || type === packet.mkdir || type === packet.write) say(statusOf(id, status.ok));
  };
}

async function linkTo(script: Script): Promise<NodeLink> {
  const session = await new SftpSession(serverThat(script), { idleTimeoutMs: 2_000 }).start();
  const closed = new Promise<undefined>(() => undefined);
  return nodeLink({ session, path: "/node", window: 8, closed, close: async () => undefined });
}

async function gather(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

const badAnswer = { code: "BadAnswer", retryable: false };

describe("a server that begins wrongly", () => {
  test.each([
    ["another version", encode(packet.version, undefined, [6])],
    ["no version", statusOf(0, 0)],
    ["garbage", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["a version that ends too early", encode(packet.version, undefined, [3, "name"])],
  ])("%s", async (_, bytes) => {
    const opening = new SftpSession(
      serverThat((_asked, say) => say(bytes)),
      { idleTimeoutMs: 2_000 },
    ).start();
    await expect(opening).rejects.toMatchObject(badAnswer);
  });

  test("nothing at all", async () => {
    const opening = new SftpSession(
      serverThat(() => undefined),
      { idleTimeoutMs: 30 },
    ).start();
    await expect(opening).rejects.toMatchObject({ code: "NodeCut" });
  });
});

describe("a server that answers a read wrongly", () => {
  const reading = async (special: Script) =>
    gather(
      (await linkTo(goodServer((asked, say) => asked.type === packet.read && special(asked, say)))).read("f", 0, 100),
    );

  test.each<[string, (id: number) => Uint8Array]>([
    ["too long a packet", () => Buffer.from([0xff, 0, 0, 0])],
    ["an id that is not open", (id) => answer(packet.data, id + 1_000, Buffer.alloc(100))],
    ["another type", (id) => answer(packet.attrs, id, ...folder)],
    ["ok without data", (id) => statusOf(id, status.ok)],
    ["more than was asked for", (id) => answer(packet.data, id, Buffer.alloc(101))],
    ["a length beyond the packet", (id) => answer(packet.data, id, 100, 1)],
    ["the same twice", (id) => Buffer.concat([1, 2].map(() => answer(packet.data, id, Buffer.alloc(50))))],
    ["a version again", () => version()],
    ["garbage", () => Buffer.alloc(20, 9)],
    ["an empty packet", () => Buffer.alloc(4)],
  ])("%s ends the session", async (_, bytes) => {
    await expect(reading(({ id }, say) => say(bytes(id)))).rejects.toMatchObject(badAnswer);
  });

  test("a handle that is too long", async () => {
    const link = await linkTo(
      goodServer(({ type, id }, say) => type === packet.open && say(answer(packet.handle, id, Buffer.alloc(257)))),
    );
    await expect(gather(link.read("f", 0, 1))).rejects.toMatchObject(badAnswer);
  });

  test("it lists nothing, without an end", async () => {
    const link = await linkTo(
      goodServer(({ type, id }, say) => type === packet.readdir && say(answer(packet.name, id, 0))),
    );
    await expect(link.list("f")).rejects.toMatchObject(badAnswer);
  });

  test.each(["../../etc", "a/b", "a\0b", "a".repeat(256)])("it lists %j", async (name) => {
    const link = await linkTo(
      goodServer(({ type, id }, say) => type === packet.readdir && say(answer(packet.name, id, 1, name, "", 0))),
    );
    await expect(link.list("f")).rejects.toMatchObject(badAnswer);
  });

  test("it lists more names than anybody wants to hold", async () => {
    const some = Array.from({ length: 1_000 }, () => ["n", "", 0]).flat();
    const link = await linkTo(
      goodServer(({ type, id }, say) => type === packet.readdir && say(answer(packet.name, id, 1_000, ...some))),
    );
    await expect(link.list("f")).rejects.toMatchObject(badAnswer);
  });

  test("it fails with a text that plays with terminals and fills logs", async () => {
    const text = `\u001b[2J\r\n${"x".repeat(100_000)}`;
    const link = await linkTo(
      goodServer(({ type, id }, say) => type === packet.remove && say(statusOf(id, status.permissionDenied, text))),
    );
    const error: unknown = await link.remove("f").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "WrongPath", message: expect.stringContaining("?[2J??xxx") });
    expect((error as Error).message.length).toBeLessThan(300);
  });

  test("all that is open is rejected when one answer is wrong", async () => {
    const link = await linkTo(goodServer(({ type }, say) => type === packet.fstat && say(Buffer.alloc(4))));
    const all = [gather(link.read("a", 0, 10)), gather(link.read("b", 0, 10)), gather(link.read("c"))];
    for (const one of all) await expect(one).rejects.toMatchObject(badAnswer);
  });
});

describe("a server within its rights", () => {
  const file = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));

  test("may give less than it was asked for", async () => {
    const link = await linkTo(
      goodServer(({ type, id, body }, say) => {
        if (type !== packet.read) return;
        body.bytes();
        const [from, length] = [body.uint64(), body.uint32()];
        say(answer(packet.data, id, file.subarray(from, from + Math.min(length, 1 + (from % 9_999)))));
      }),
    );
    expect((await gather(link.read("f", 0, file.length))).equals(file)).toBe(true);
  });

  test("may tell the end of a file by no bytes", async () => {
    const link = await linkTo(
      goodServer(({ type, id }, say) => type === packet.read && say(answer(packet.data, id, Buffer.alloc(0)))),
    );
    await expect(gather(link.read("f", 0, 10))).rejects.toMatchObject({ code: "WrongBytes" });
  });

  test("may answer in any order", async () => {
    const held: Uint8Array[] = [];
    const link = await linkTo(
      goodServer(({ type, id, body }, say) => {
        if (type !== packet.read) return;
        body.bytes();
        const [from, length] = [body.uint64(), body.uint32()];
        held.unshift(answer(packet.data, id, file.subarray(from, from + length)));
        if (held.length === 4) for (const one of held.splice(0)) say(one);
      }),
    );
    expect((await gather(link.read("f", 0, file.length))).equals(file)).toBe(true);
  });

  test("may know no extensions", async () => {
    const asked: number[] = [];
    const link = await linkTo(
      goodServer(({ type, id }, say) => {
        asked.push(type);
        if (type === packet.remove) say(statusOf(id, status.noSuchFile));
        if (type === packet.rename) say(statusOf(id, status.ok));
      }),
    );
    expect(await link.freeBytes()).toBeUndefined();
    expect(await link.fsync("f")).toBe(false);
    await link.rename("a", "b");
    expect(asked.slice(-2)).toEqual([packet.remove, packet.rename]);
    expect(asked).not.toContain(packet.extended);
  });
});

describe("a disk without space", () => {
  const writes = (onWrite: (id: number) => Uint8Array, free?: bigint) =>
    goodServer(
      ({ type, id }, say) => {
        if (type === packet.write) say(onWrite(id));
        const told = [4096n, 4096n, 9n, free ?? 9n, free ?? 9n, 9n, 9n, 9n, 9n, 0n, 255n];
        if (type === packet.extended) say(answer(packet.extendedReply, id, ...told));
      },
      ...(free === undefined ? [] : ["statvfs@openssh.com"]),
    );
  async function* some() {
    for (let i = 0; i < 100; i++) yield Buffer.alloc(10_000);
  }

  test.each<[string, Script, string]>([
    [
      "OpenSSH's, which says only that it failed",
      writes((id) => statusOf(id, status.failure, "Failure"), 0n),
      "NodeFull",
    ],
    ["one of a later version's", writes((id) => statusOf(id, status.noSpace)), "NodeFull"],
    ["a quota", writes((id) => statusOf(id, status.quotaExceeded)), "NodeFull"],
    ["one in words", writes((id) => statusOf(id, status.failure, "No space left on device")), "NodeFull"],
    ["space, but another failure", writes((id) => statusOf(id, status.failure), 1_000_000n), "NodeFailed"],
    ["a failure of nobody knows what", writes((id) => statusOf(id, status.failure)), "NodeFailed"],
    ["no right", writes((id) => statusOf(id, status.permissionDenied)), "WrongPath"],
    ["a lost line behind it", writes((id) => statusOf(id, status.connectionLost)), "NodeCut"],
  ])("%s", async (_, script, code) => {
    const link = await linkTo(script);
    await expect(link.put("f", some(), 1_000_000)).rejects.toMatchObject({ code });
  });
});

test("no more requests are open at once than the window has", async () => {
  let open = 0;
  let most = 0;
  const waiting: (() => void)[] = [];
  const link = await linkTo(
    goodServer(({ type, id }, say) => {
      if (type !== packet.write) return undefined;
      most = Math.max(most, ++open);
      waiting.push(() => {
        open--;
        say(statusOf(id, status.ok));
      });
      return "later";
    }),
  );
  async function* some() {
    for (let i = 0; i < 40; i++) yield Buffer.alloc(32 * 1024);
  }
  const timer = setInterval(() => waiting.shift()?.(), 1);
  await link.put("f", some(), 40 * 32 * 1024);
  clearInterval(timer);
  expect(most).toBe(8);
});

test("a reader that takes its time has no more than the window read ahead", async () => {
  let asked = 0;
  const link = await linkTo(
    goodServer(({ type, id, body }, say) => {
      if (type !== packet.read) return;
      body.bytes();
      body.uint64();
      asked++;
      say(answer(packet.data, id, Buffer.alloc(body.uint32())));
    }),
  );
  let taken = 0;
  for await (const _ of link.read("f", 0, 100 * 32 * 1024)) {
    taken++;
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked - taken).toBeLessThanOrEqual(8);
  }
  expect(taken).toBe(100);
});

test("what comes after the end of a session is rejected at once", async () => {
  const stream = serverThat(goodServer(() => undefined));
  const session = await new SftpSession(stream, { idleTimeoutMs: 2_000 }).start();
  const told = vi.fn();
  session.onEnd(told);
  stream.push(null);
  await vi.waitFor(() => expect(told).toHaveBeenCalledWith(expect.objectContaining({ code: "NodeCut" })));
  await expect(session.request(packet.stat, ["/"], { type: packet.attrs, parse: () => 1 })).rejects.toMatchObject({
    code: "NodeCut",
  });
  expect(stream.destroyed).toBe(true);
});
