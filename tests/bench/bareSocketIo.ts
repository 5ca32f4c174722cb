import { Server } from "socket.io";

// What `fanout` is held against under bursts: a socket.io server that sends what it gets to everybody in the room.
const io = new Server(Number(process.env.BARE_PORT), { serveClient: false, transports: ["websocket"] });
io.on("connection", (socket) => {
  void socket.join("room");
  socket.on("say", (event: object) => void io.to("room").emit("event", event));
});
io.httpServer.on("listening", () => process.send?.("ready"));
process.on("SIGTERM", () => process.exit(0));
process.on("disconnect", () => process.exit(0));
