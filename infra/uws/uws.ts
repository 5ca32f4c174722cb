// The only file that touches uWebSockets.js. Its rules, each broken at the price of the whole process: a response
// needs `onAborted` before the handler returns; a request is gone after the first `await`; a buffer is gone when its
// callback returns; nothing may be thrown into native code; a response or socket that ended must not be touched.

import type {
  HttpRequest as NativeRequest,
  HttpResponse as NativeResponse,
  TemplatedApp,
  us_listen_socket,
  us_socket_context_t,
  WebSocketBehavior,
} from "uWebSockets.js";
import { Answer, respondAtOnce } from "./answer.ts";
import { assertPortFree, freePort } from "./assertPortFree.ts";
import { BadCertificate, type Certificate, type CertificateFiles, readCertificate } from "./certificate.ts";
import { CannotListen, NativeBindingMissing } from "./errors.ts";
import { headBytes, isHeadTooLarge } from "./httpRules.ts";
import { type Listener, Listeners } from "./listeners.ts";
import { RequestsUnderWay } from "./requestsUnderWay.ts";
import type { RequestHead, Server, ServerOptions, SocketHandlers, SocketOpening } from "./server.ts";
import { UwsSocket } from "./uwsSocket.ts";

// The library looks at it once, when it is loaded; by itself it takes 4,096.
process.env.UWS_HTTP_MAX_HEADERS_SIZE = String(headBytes);
const { default: uws } = await import("uWebSockets.js");

// Some copies of the library fall back to JavaScript without a word, and lose messages.
if (typeof uws.App !== "function" || !`${uws.App}`.includes("[native code]")) throw new NativeBindingMissing();

/** A socket that says nothing for so long is closed; the server's own pings keep a living one open. */
const idleTimeoutSeconds = 60;

/** TLS 1.2 with keys of the moment and authenticated ciphers alone; 1.3, which the library takes too, has no others. */
const ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

/**
 * Starts a server for HTTP and WebSockets on one port, with TLS when it is given a certificate. Throws `PortTaken`, `CannotListen` or
 * `BadCertificate`.
 */
export async function createServer<Session extends object>(options: ServerOptions<Session>): Promise<Server> {
  const { host, tls } = options;
  // The library shares a port with whoever else shares it; asked not to, it can't listen again for a minute after a
  // restart. So look first. Two servers that start in the same instant are not told apart.
  if (options.port !== 0 && options.sharesPort !== true) await assertPortFree(host, options.port);
  // A port that it may choose, the library does not share: not even with itself and another certificate.
  const port = options.port === 0 && tls !== undefined ? await freePort(host) : options.port;
  let certificate: Certificate | undefined;
  const begin = async () => {
    const { app, read } = tls === undefined ? { app: uws.App() } : await secureApp(tls);
    const listening = await listenWith(app, port, options);
    certificate = read;
    return listening;
  };
  const first = await begin();
  const all = new Listeners(first.listener);
  return {
    port: first.port,
    get certificate() {
      return certificate;
    },
    publish: (topic, message) => all.publish(topic, message),
    async reloadCertificate() {
      if (tls !== undefined) await all.replaceBy((await begin()).listener);
    },
    stopListening: () => all.stopListening(),
    close: (graceMs = 1_000) => all.close(graceMs),
  };
}

async function secureApp(files: CertificateFiles): Promise<{ readonly app: TemplatedApp; readonly read: Certificate }> {
  const read = await readCertificate(files, Date.now());
  let app: TemplatedApp;
  try {
    const { cert: cert_file_name, key: key_file_name } = files;
    app = uws.SSLApp({ cert_file_name, key_file_name, ssl_ciphers: ciphers, ssl_prefer_low_memory_usage: true });
  } catch (error) {
    throw new BadCertificate(
      `The library for TLS can't use HUB_TLS_CERT=${files.cert} with HUB_TLS_KEY=${files.key}: get a certificate for an RSA or P-256 key.`,
      error,
    );
  }
  // It has read the files for itself.
  if ((await readCertificate(files, Date.now())).digest !== read.digest)
    throw new BadCertificate(`HUB_TLS_CERT=${files.cert} or its key was changed while it was read: try again.`);
  return { app, read };
}

async function listenWith<Session extends object>(
  app: TemplatedApp,
  port: number,
  options: ServerOptions<Session>,
): Promise<{ readonly port: number; readonly listener: Listener }> {
  const requests = new RequestsUnderWay();
  const behavior = socketBehavior(options);
  let sockets = 0;
  app.ws(options.socket.path, {
    ...behavior,
    open(ws) {
      sockets++;
      behavior.open?.(ws);
    },
    close(ws, code, reason) {
      sockets--;
      behavior.close?.(ws, code, reason);
    },
  });
  app.any("/*", (res, req) => answer(res, req, options, requests));
  const token = await new Promise<us_listen_socket | false>((resolve) => {
    app.listen(options.host, port, resolve);
  });
  if (token === false) throw new CannotListen(options.host, port, undefined);
  let isListening = true;
  const listener: Listener = {
    publish: (topic, message) => void app.publish(topic, message, false, false),
    isBusy: () => sockets + requests.count > 0,
    stopListening() {
      // Twice would end the process.
      if (isListening) uws.us_listen_socket_close(token);
      isListening = false;
    },
    allAnswered: (graceMs) => requests.allAnswered(graceMs),
    close: () => void app.close(),
  };
  return { port: uws.us_socket_local_port(token), listener };
}

// HTTP

function answer<Session extends object>(
  res: NativeResponse,
  req: NativeRequest,
  options: ServerOptions<Session>,
  requests: RequestsUnderWay,
): void {
  let answering: Answer | undefined;
  try {
    answering = new Answer(res, readHead(res, req), options, requests.begin());
    answering.begin();
  } catch (error) {
    options.onError(error);
    if (answering === undefined) res.close();
    else answering.fail();
  }
}

function readHead(res: NativeResponse, req: NativeRequest): RequestHead {
  return {
    method: req.getCaseSensitiveMethod().toUpperCase(),
    path: req.getUrl(),
    query: new URLSearchParams(req.getQuery()),
    headers: readHeaders(req),
    remoteAddress: Buffer.from(res.getRemoteAddressAsText()).toString(),
  };
}

function readHeaders(req: NativeRequest): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  req.forEach((name, value) => {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  });
  return headers;
}

// WebSockets

/** What the library keeps for a socket. All fields are there from the beginning, as what is added or deleted later makes it larger. */
interface Kept<Session> {
  /** Until it is open: it is larger than all the rest. */
  opening: SocketOpening | undefined;
  socket: UwsSocket | undefined;
  session: Session | undefined;
  /** Set when the socket was closed before `open` returned. */
  closedWith: number | undefined;
}

function socketBehavior<Session extends object>(options: ServerOptions<Session>): WebSocketBehavior<Kept<Session>> {
  const { socket: handlers, limits, onError } = options;
  /** Runs one of the handlers; what it throws never reaches native code. */
  const run = ({ socket, session }: Kept<Session>, handler: (session: Session) => void | Promise<void>): void => {
    if (session === undefined) return;
    const fail = (error: unknown) => {
      onError(error);
      socket?.close(1011, "");
    };
    try {
      const outcome = handler(session);
      if (outcome instanceof Promise) outcome.catch(fail);
    } catch (error) {
      fail(error);
    }
  };
  return {
    compression: uws.DISABLED,
    maxPayloadLength: limits.frameBytes,
    maxBackpressure: limits.backpressureBytes,
    idleTimeout: idleTimeoutSeconds,
    sendPingsAutomatically: true,
    upgrade: (res, req, context) => upgrade(res, req, context, { ...handlers, onError }),
    open: (ws) => {
      const kept = ws.getUserData();
      const socket = new UwsSocket(ws);
      kept.socket = socket;
      const { opening } = kept;
      kept.opening = undefined;
      if (opening === undefined) return;
      try {
        kept.session = handlers.open(socket, opening);
      } catch (error) {
        onError(error);
        socket.close(1011, "");
      }
      const { closedWith } = kept;
      if (closedWith !== undefined) run(kept, (session) => handlers.close(session, closedWith));
    },
    message: (ws, message, isBinary) => {
      const bytes = Buffer.from(message);
      const own = isBinary ? new Uint8Array(bytes) : bytes.toString();
      run(ws.getUserData(), (session) => handlers.message(session, own));
    },
    dropped: (ws) => {
      const kept = ws.getUserData();
      kept.socket?.walked();
      run(kept, handlers.dropped);
    },
    drain: (ws) => run(ws.getUserData(), handlers.drain),
    close: (ws, code) => {
      const kept = ws.getUserData();
      kept.socket?.markClosed();
      kept.closedWith = code;
      run(kept, (session) => handlers.close(session, code));
    },
  };
}

function upgrade(
  res: NativeResponse,
  req: NativeRequest,
  context: us_socket_context_t,
  { refuse, onError }: Pick<SocketHandlers<object>, "refuse"> & Pick<ServerOptions<object>, "onError">,
): void {
  try {
    const headers = readHeaders(req);
    if (isHeadTooLarge("GET", req.getUrl(), req.getQuery() ?? "", headers)) {
      res.writeStatus("431 Request Header Fields Too Large").end("", true);
      return;
    }
    const opening = { headers, query: new URLSearchParams(req.getQuery()), origin: headers.get("origin") };
    const refused = refuse?.(opening);
    if (refused !== undefined) {
      respondAtOnce(res, refused);
      return;
    }
    res.upgrade<Kept<object>>(
      { opening, socket: undefined, session: undefined, closedWith: undefined },
      req.getHeader("sec-websocket-key"),
      req.getHeader("sec-websocket-protocol"),
      req.getHeader("sec-websocket-extensions"),
      context,
    );
  } catch (error) {
    onError(error);
    res.close();
  }
}
