import { answerIn, type HttpAnswer, httpAnswer } from "./http.ts";
import { HubError } from "./hubError.ts";

/** Bytes for one request. */
export interface SentBytes {
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Blob | Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal | undefined;
  /** Told how many of how many bytes went out, now and then, at last all. */
  readonly onProgress?: ((sent: number, size: number) => void) | undefined;
}

/** Posts bytes. Throws as `httpAnswer`. */
export function sendBytes(url: URL, { headers, bytes, signal, onProgress }: SentBytes): Promise<HttpAnswer> {
  const init = { method: "POST", headers, ...(signal && { signal }) };
  if (onProgress === undefined) return httpAnswer(url, { ...init, body: bytes });
  const body = bytes instanceof Blob ? bytes : new Blob([bytes]);
  // In browsers `fetch` does not tell how far it is, and elsewhere there is nothing else.
  if (typeof XMLHttpRequest === "undefined") return httpAnswer(url, counted(init, body, onProgress));
  return byXhr(url, { headers, body, signal, onProgress });
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
  { headers, body, signal, onProgress }: Omit<SentBytes, "bytes"> & { readonly body: Blob },
): Promise<HttpAnswer> {
  const request = new XMLHttpRequest();
  const answered = new Promise<Response>((resolve, reject) => {
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => onProgress?.(loaded, body.size);
    request.onload = () => resolve(new Response(request.responseText, { status: request.status }));
    request.onerror = () => reject(new HubError("LineDead", { retry: true, message: `no answer from ${url.origin}` }));
    request.onabort = () => reject(signal?.reason);
    signal?.addEventListener("abort", () => request.abort());
    if (signal?.aborted === true) reject(signal.reason);
    else request.send(body);
  });
  return answered.then((response) => answerIn(response, signal));
}
