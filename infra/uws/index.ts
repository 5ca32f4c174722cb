export { CannotListen, PortTaken } from "./errors.ts";
export { type PathParams, pathParams } from "./pathParams.ts";
export type {
  HttpRequest,
  HttpResponse,
  SendOutcome,
  Server,
  ServerLimits,
  ServerOptions,
  Socket,
  SocketHandlers,
  SocketOpening,
} from "./server.ts";
export { createServer } from "./uws.ts";
