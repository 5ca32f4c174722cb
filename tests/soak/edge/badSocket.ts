import { WebSocket } from "ws";

/** What a client's sockets do to what it sends, and tell of what they get. */
export interface BadSocketOptions {
  /** Whether commands go out twice, and not in the order in which they were sent. */
  isUnruly(): boolean;
  /** For how long each copy is held back: 0 ≤ x < 1. */
  readonly random: () => number;
  met(what: "resync" | "twice"): void;
  /** What time it is at the server. */
  told(nowMs: number): void;
}

/** The first copy waits up to so long, so that others overtake it, the second longer. */
const heldMs = { first: 60, second: 400 } as const;

/** Sockets as an unruly network stack would have them. */
export function badSocket({ isUnruly, random, met, told }: BadSocketOptions): new (url: string) => WebSocket {
  return class BadSocket extends WebSocket {
    constructor(url: string) {
      super(url, { perMessageDeflate: false });
      this.on("message", (data: Buffer) => {
        if (begins(data, resync)) met("resync");
        else if (begins(data, hello)) told(Date.parse(JSON.parse(data.toString()).hello.now));
      });
    }

    override send(text: string): void {
      if (!isUnruly() || !text.includes(isCommand)) {
        super.send(text);
        return;
      }
      for (const longest of [heldMs.first, heldMs.second]) {
        setTimeout(() => {
          if (this.readyState === WebSocket.OPEN) super.send(text);
        }, longest * random());
      }
      met("twice");
    }
  };
}

const begins = (data: Buffer, words: Buffer): boolean => data.subarray(0, words.length).equals(words);
const hello = Buffer.from('{"hello"');
const resync = Buffer.from('{"resync"');
const isCommand = '"k":"';
