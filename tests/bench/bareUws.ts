import uWS from "uWebSockets.js";

// The ceiling of `fanout`: a server that does nothing but publish what it gets to everybody.
const port = Number(process.env.BARE_PORT);
const app = uWS.App().ws("/*", {
  maxBackpressure: 64 * 1024 * 1024,
  open: (socket) => void socket.subscribe("all"),
  message: (_socket, message) => void app.publish("all", message, false),
});
app.listen("127.0.0.1", port, (listening) => {
  if (!listening) process.exit(1);
  process.send?.("ready");
});
process.on("SIGTERM", () => process.exit(0));
process.on("disconnect", () => process.exit(0));
