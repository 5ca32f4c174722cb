// The only file that touches uWebSockets.js. Its rules, each broken at the price of the whole process: a response
// needs `onAborted` before the handler returns; a request is gone after the first `await`; a buffer is gone when its
// callback returns; nothing may be thrown into native code; a response or socket that ended must not be touched.

import type {
  HttpRequest as NativeRequest,
  HttpResponse as NativeResponse,
  TemplatedApp,
  us_listen_socket,
} from "uWebSockets.js";
import uws from "uWebSockets.js";
import { Answer } from "./answer.ts";
import { assertPortFree } from "./assertPortFree.ts";
import { CannotListen, NativeBindingMissing } from "./errors.ts";
import { RequestsUnderWay } from "./requestsUnderWay.ts";
import type { RequestHead, Server, ServerOptions, SocketOpening } from "./server.ts";
import { UwsSocket } from "./uwsSocket.ts";

// Some copies of the library fall back to JavaScript without a word, and lose messages.
if (typeof uws.App !== "function" || !`${uws.App}`.includes("[native code]")) throw new NativeBindingMissing();

/** A socket that says nothing for so long is closed; the server's own pings keep a living one open. */
const idleTimeoutSeconds = 60;

/** Starts a server for HTTP and WebSockets on one port. Throws `PortTaken` or `CannotListen`. */
export async function createServer<Session extends object>(options: ServerOptions<Session>): Promise<Server> {
  const app = uws.App();
  const requests = new RequestsUnderWay();
  app.ws(options.socket.path, socketBehavior(options));
  app.any("/*", (res, req) => answer(res, req, options, requests));
  const listening = await listen(app, options.host, options.port);
  let isListening = true;
  const stopListening = () => {
    if (isListening) uws.us_listen_socket_close(listening);
    isListening = false;
  };
  return {
    port: uws.us_socket_local_port(listening),
    publish: (topic, message) => void app.publish(topic, message, false, false),
    stopListening,
    close: async (graceMs = 1_000) => {
      stopListening();
      await requests.allAnswered(graceMs);
      app.close();
    },
  };
}

async function listen(app: TemplatedApp, host: string, port: number): Promise<us_listen_socket> {
  // The library shares a port with whoever else shares it; asked not to, it can't listen again for a minute after a
  // restart. So look first. Two servers that start in the same instant are not told apart.
  if (port !== 0) await assertPortFree(host, port);
  const token = await new Promise<us_listen_socket | false>((resolve) => {
    app.listen(host, port, resolve);
  });
  if (token === false) throw new CannotListen(host, port, undefined);
  return token;
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

/** What the library keeps for a socket. */
interface Kept<Session> {
  readonly opening: SocketOpening;
  socket?: UwsSocket;
  session?: Session;
  /** Set when the socket was closed before `open` returned. */
  closedWith?: number;
}

function socketBehavior<Session extends object>(options: ServerOptions<Session>): uws.WebSocketBehavior<Kept<Session>> {
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
    upgrade: (res, req, context) => upgrade(res, req, context, onError),
    open: (ws) => {
      const kept = ws.getUserData();
      const socket = new UwsSocket(ws);
      kept.socket = socket;
      try {
        kept.session = handlers.open(socket, kept.opening);
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
  context: uws.us_socket_context_t,
  onError: (error: unknown) => void,
): void {
  try {
    const headers = readHeaders(req);
    const opening = { headers, query: new URLSearchParams(req.getQuery()), origin: headers.get("origin") };
    res.upgrade<Kept<object>>(
      { opening },
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
