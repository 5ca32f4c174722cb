import { answerIn, answerTimeoutMs, type HttpAnswer, httpAnswer, noAnswer } from "./http.ts";

/** Bytes for one request. */
export interface SentBytes {
  readonly method: "POST" | "PATCH";
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Blob | Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal | undefined;
  /** Told how many of how many bytes went out, now and then, at last all. */
  readonly onProgress?: ((sent: number, size: number) => void) | undefined;
}

/** Who sends more slowly than 4 KiB a second for a minute is cut off by the edge: after this there is no answer any more. */
const timeoutFor = (bytes: number): number => Math.min(60_000 + bytes / 4 + answerTimeoutMs, longestTimerMs);
const longestTimerMs = 2 ** 31 - 1;

/** Sends bytes. Throws as `httpAnswer`. */
export function sendBytes(url: URL, { method, headers, bytes, signal, onProgress }: SentBytes): Promise<HttpAnswer> {
  const init = { method, headers, ...(signal && { signal }) };
  const timeoutMs = timeoutFor(bytes instanceof Blob ? bytes.size : bytes.byteLength);
  if (onProgress === undefined) return httpAnswer(url, { ...init, body: bytes }, timeoutMs);
  const body = bytes instanceof Blob ? bytes : new Blob([bytes]);
  // In browsers `fetch` does not tell how far it is, and elsewhere there is nothing else.
  if (typeof XMLHttpRequest === "undefined") return httpAnswer(url, counted(init, body, onProgress), timeoutMs);
  return byXhr(url, { method, headers, body, signal, onProgress });
}

/** Piece by piece, as the line takes them. */
function counted(init: RequestInit, bytes: Blob, onProgress: (sent: number, size: number) => void): RequestInit {
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(out) {
      const piece = await bytes.slice(sent, sent + pieceBytes).arrayBuffer();
      if (piece.byteLength > 0) out.enqueue(new Uint8Array(piece));
      sent += piece.byteLength;
      onProgress(sent, bytes.size);
      if (sent === bytes.size) out.close();
    },
  });
  const headers = { ...(init.headers as Record<string, string>), "content-length": `${bytes.size}` };
  return { ...init, headers, body, duplex: "half" } as RequestInit;
}

const pieceBytes = 64 * 1024;

function byXhr(
  url: URL,
  { method, headers, body, signal, onProgress }: Omit<SentBytes, "bytes"> & { readonly body: Blob },
): Promise<HttpAnswer> {
  const request = new XMLHttpRequest();
  const answered = new Promise<Response>((resolve, reject) => {
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => onProgress?.(loaded, body.size);
    request.onload = () => resolve(new Response(request.responseText, { status: request.status }));
    request.timeout = timeoutFor(body.size);
    request.onerror = request.ontimeout = () => reject(noAnswer(url));
    request.onabort = () => reject(signal?.reason);
    signal?.addEventListener("abort", () => request.abort());
    if (signal?.aborted === true) reject(signal.reason);
    else request.send(body);
  });
  return answered.then((response) => answerIn(response, signal));
}
