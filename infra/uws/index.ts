export { BadCertificate, type Certificate, type CertificateFiles, digestOfFiles } from "./certificate.ts";
export { CannotListen, PortTaken, RequestAborted } from "./errors.ts";
export { type PathParams, pathParams } from "./pathParams.ts";
export type { StreamedBody } from "./sendStream.ts";
export type {
  HttpRequest,
  HttpResponse,
  RequestHead,
  SendOutcome,
  Server,
  ServerLimits,
  ServerOptions,
  Socket,
  SocketHandlers,
  SocketOpening,
} from "./server.ts";
export { createServer } from "./uws.ts";
