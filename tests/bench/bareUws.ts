import uWS from "uWebSockets.js";

// The ceiling of `fanout`: a server that does nothing but publish what it gets to everybody. For `idle-memory` each socket is
// in so many topics as its path says.
const port = Number(process.env.BARE_PORT);
const topics = Number(process.env.BARE_TOPICS ?? 1);
const topicsOfSocket = Number(process.env.BARE_TOPICS_OF_SOCKET ?? 1);
let opened = 0;
const app = uWS.App().ws("/*", {
  maxBackpressure: 64 * 1024 * 1024,
  open(socket) {
    opened += 1;
    for (let k = 0; k < topicsOfSocket; k++) socket.subscribe(`room ${(opened * 7 + k * 101) % topics}`);
    socket.send("");
  },
  message: (_socket, message) => void app.publish("room 0", message, false),
});
app.listen("127.0.0.1", port, (listening) => {
  if (!listening) process.exit(1);
  process.send?.("ready");
});
process.on("SIGTERM", () => process.exit(0));
process.on("disconnect", () => process.exit(0));
