// One request and its answer. Each rule here is broken at the price of the whole process: a response needs `onAborted`
// before the handler returns; a buffer is gone when its callback returns; nothing may be thrown into native code; a
// response that ended must not be touched.

import { STATUS_CODES } from "node:http";
import { assertHeaders, hasTwoReadings, isHeadTooLarge } from "./httpRules.ts";
import type { NativeResponse } from "./nativeResponse.ts";
import { RequestBody } from "./requestBody.ts";
import { sendStream } from "./sendStream.ts";
import type { HttpRequest, HttpResponse, RequestHead, ServerOptions } from "./server.ts";

type AnswerOptions = Pick<ServerOptions<object>, "http" | "takesStream" | "refusal" | "limits" | "onError">;

/** How long a client that wants the connection closed may still send before it gets an early answer. */
const lingerMs = 1_000;
/** The library closes a connection on which nothing happened for 10 s; it is told before that to wait on. */
const tickMs = 4_000;
const defaultStallMs = 30_000;

/** Reads the request and answers it; `end` is called when it is answered or gone. */
export class Answer {
  #isOpen = true;
  #body: RequestBody | undefined;
  readonly #gone = new AbortController();
  #movedAt = performance.now();
  /** While the source of the answer is slow, the client can't be blamed. */
  #waitsForSource = false;
  #ticking: NodeJS.Timeout | undefined;
  #remind: () => void = () => undefined;
  readonly #res: NativeResponse;
  readonly #head: RequestHead;
  readonly #options: AnswerOptions;
  readonly #end: () => void;

  /** To be made in the handler of the request. */
  constructor(res: NativeResponse, head: RequestHead, options: AnswerOptions, end: () => void) {
    this.#res = res;
    this.#head = head;
    this.#options = options;
    this.#end = end;
    res.onAborted(() => {
      this.#finish();
      this.#body?.abort();
      this.#gone.abort();
    });
  }

  /** Reads the body and has the request answered. */
  begin(): void {
    const { limits, refusal, takesStream } = this.#options;
    const { method, path, query, headers } = this.#head;
    // As the library answers a head that comes in pieces.
    if (isHeadTooLarge(method, path, query.toString(), headers)) this.#respond({ status: 431 }, true);
    else if (hasTwoReadings(headers)) this.#respond(refusal(400, this.#head), true);
    else if (takesStream?.(this.#head))
      void this.#handle({ ...this.#head, body: new Uint8Array(), stream: this.#stream() });
    else
      readWhole(this.#res, limits.bodyBytes, (body) => {
        if (body === "tooLarge") this.#respond(refusal(413, this.#head), true);
        else if (this.#isOpen) void this.#handle({ ...this.#head, body });
      });
  }

  /** Answers, if nothing did yet, that this went wrong. */
  fail(): void {
    this.#respond(this.#options.refusal(500, this.#head), true);
  }

  async #handle(request: HttpRequest): Promise<void> {
    let response: HttpResponse;
    try {
      response = await this.#options.http(request);
      assertHeaders(response.headers);
    } catch (error) {
      this.#options.onError(error);
      response = this.#options.refusal(500, this.#head);
    }
    try {
      if (this.#body !== undefined && !this.#body.isComplete) await this.#sendEarly(this.#body, response);
      else await this.#send(response);
    } catch (error) {
      // Who is gone may well have stopped the source.
      if (!this.#isOpen) return;
      this.#options.onError(error);
      this.#res.close();
    }
  }

  /** The client still sends: it is asked to stop, and not cut off at once, for then it would not get to read the answer. */
  async #sendEarly(body: RequestBody, response: HttpResponse): Promise<void> {
    body.discard();
    // The library closes such a connection itself, right behind the answer.
    if (this.#head.headers.get("connection")?.toLowerCase() === "close") await body.over(lingerMs);
    await this.#send({ ...response, headers: { ...response.headers, connection: "close" } });
  }

  async #send(response: HttpResponse): Promise<void> {
    const { body } = response;
    this.#body?.discard();
    if (typeof body !== "object" || body instanceof Uint8Array) return this.#respond(response);
    const isWanted = this.#isOpen && this.#head.method !== "HEAD" && body.length > 0;
    if (!isWanted) body.unused?.();
    if (!this.#isOpen) return;
    if (!isWanted) {
      this.#res.cork(() => {
        writeHead(this.#res, response);
        if (this.#head.method === "HEAD") this.#res.endWithoutBody(body.length);
        else this.#res.end("", false);
      });
      return this.#finish();
    }
    this.#watch();
    this.#res.cork(() => writeHead(this.#res, response));
    await sendStream(this.#res, body, {
      isOpen: () => this.#isOpen,
      waitsFor: (whom) => {
        this.#waitsForSource = whom === "source";
        this.#moved();
      },
      complete: () => this.#finish(),
      onReminder: (offerAgain) => {
        this.#remind = offerAgain;
      },
      gone: this.#gone.signal,
    });
  }

  #respond(response: HttpResponse, closeConnection = false): void {
    if (!this.#isOpen) return;
    this.#finish();
    const whole = wholeBody(response);
    this.#res.cork(() => {
      writeHead(this.#res, response);
      if (response.status === 304 || response.status === 204) this.#res.endWithoutBody();
      else if (this.#head.method === "HEAD") this.#res.endWithoutBody(Buffer.byteLength(whole), closeConnection);
      else this.#res.end(whole, closeConnection);
    });
  }

  #stream(): RequestBody {
    const body = new RequestBody({
      pause: () => void (this.#isOpen && this.#res.pause()),
      resume: () => void (this.#isOpen && this.#res.resume()),
    });
    this.#body = body;
    this.#res.onData((chunk, isLast) => {
      this.#moved();
      body.push(new Uint8Array(chunk.slice(0)), isLast);
      if (isLast) this.#unwatch();
    });
    this.#watch();
    return body;
  }

  /** Keeps the connection while something moves on it, however slowly, and cuts it when nothing does. */
  #watch(): void {
    const { stallMs = defaultStallMs } = this.#options.limits;
    this.#unwatch();
    this.#moved();
    this.#ticking = setInterval(
      () => {
        if (!this.#isOpen) return this.#unwatch();
        if (this.#body?.isPaused) {
          this.#moved();
          this.#res.pause();
        } else if (!this.#waitsForSource && performance.now() - this.#movedAt > stallMs) this.#res.close();
        else {
          this.#res.resume();
          // It listens for nothing but requests after that, until a write fails.
          this.#remind();
        }
      },
      Math.min(tickMs, stallMs),
    );
  }

  #unwatch(): void {
    clearInterval(this.#ticking);
  }

  #moved(): void {
    this.#movedAt = performance.now();
  }

  #finish(): void {
    this.#isOpen = false;
    this.#unwatch();
    this.#end();
  }
}

function readWhole(res: NativeResponse, maxBytes: number, done: (body: Uint8Array | "tooLarge") => void): void {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let isDone = false;
  res.onData((chunk, isLast) => {
    if (isDone) return;
    bytes += chunk.byteLength;
    isDone = isLast || bytes > maxBytes;
    if (bytes > maxBytes) {
      done("tooLarge");
      return;
    }
    chunks.push(new Uint8Array(chunk.slice(0)));
    if (isLast) done(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
  });
}

/** Answers at once, in the handler of the request. */
export function respondAtOnce(res: NativeResponse, response: HttpResponse): void {
  res.cork(() => {
    writeHead(res, response);
    res.end(wholeBody(response), true);
  });
}

function wholeBody({ body }: HttpResponse): string | Uint8Array {
  return typeof body === "string" || body instanceof Uint8Array ? body : "";
}

function writeHead(res: NativeResponse, response: HttpResponse): void {
  res.writeStatus(`${response.status} ${STATUS_CODES[response.status] ?? "Unknown"}`);
  for (const [name, value] of Object.entries(response.headers ?? {})) res.writeHeader(name, value);
}
