import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

const opcodes = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const noCloseFrame = 1006;

/** A WebSocket client made of a bare TCP connection, so that a test can misbehave with it. */
export interface RawWebSocket {
  /** The connection below, to pause it, destroy it or write nonsense to it. */
  readonly tcp: Socket;
  /** The text messages that came so far. */
  readonly received: readonly string[];
  /** Resolves to the close code; 1006 when the connection ended without a close frame. */
  readonly closed: Promise<number>;
  send(message: string | Uint8Array): void;
  close(code: number): void;
}

/** Opens one, over `tcp` if that is given; rejects if the server answers anything but 101. */
export function openRawWebSocket(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  tcp: Socket = connect(port, "127.0.0.1"),
): Promise<RawWebSocket> {
  const head = {
    Host: "127.0.0.1",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    ...headers,
  };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  tcp.write(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      tcp.off("data", onData);
      const status = bytes.subarray(9, 12).toString();
      if (status === "101") resolve(speak(tcp, bytes.subarray(end + 4)));
      else reject(new Error(`answered ${status}`));
    };
    tcp.on("data", onData);
    tcp.once("error", reject);
  });
}

function speak(tcp: Socket, first: Buffer): RawWebSocket {
  const received: string[] = [];
  let code = noCloseFrame;
  let rest: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (let frame = takeFrame(rest); frame !== undefined; frame = takeFrame(rest)) {
      rest = frame.rest;
      if (frame.opcode === opcodes.text) received.push(frame.body.toString());
      if (frame.opcode === opcodes.ping) tcp.write(encodeFrame(opcodes.pong, frame.body));
      if (frame.opcode === opcodes.close) {
        code = frame.body.length >= 2 ? frame.body.readUInt16BE(0) : 1005;
        tcp.end();
      }
    }
  };
  tcp.on("data", onData);
  // A reset by the server is a close as well.
  tcp.on("error", () => {});
  onData(first);
  return {
    tcp,
    received,
    closed: new Promise((resolve) => tcp.once("close", () => resolve(code))),
    send: (message) =>
      tcp.write(encodeFrame(typeof message === "string" ? opcodes.text : opcodes.binary, Buffer.from(message))),
    close: (closeCode) => {
      const body = Buffer.alloc(2);
      body.writeUInt16BE(closeCode);
      tcp.write(encodeFrame(opcodes.close, body));
    },
  };
}

function takeFrame(bytes: Buffer): { opcode: number; body: Buffer; rest: Buffer } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const start = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < start) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < start + length) return undefined;
  return {
    opcode: bytes.readUInt8(0) & 0x0f,
    body: bytes.subarray(start, start + length),
    rest: bytes.subarray(start + length),
  };
}

/** A frame masked with zeros, which the protocol allows. */
function encodeFrame(opcode: number, body: Buffer): Buffer {
  const head = Buffer.alloc(body.length < 126 ? 2 : body.length < 65_536 ? 4 : 10);
  head.writeUInt8(0x80 | opcode, 0);
  if (head.length === 2) head.writeUInt8(0x80 | body.length, 1);
  else if (head.length === 4) {
    head.writeUInt8(0x80 | 126, 1);
    head.writeUInt16BE(body.length, 2);
  } else {
    head.writeUInt8(0x80 | 127, 1);
    head.writeBigUInt64BE(BigInt(body.length), 2);
  }
  return Buffer.concat([head, Buffer.alloc(4), body]);
}
