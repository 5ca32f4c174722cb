import uWS from "uWebSockets.js";
import { connectNats } from "@connect-hub/jetstream";
import { groupCommitting } from "./bareLog.ts";

// The ceiling of `deliver`: what a message can't do without, and nothing else. As an edge: a request for what a socket says, and a
// publish of what is heard. As a writer: an append to one lane, then the answer, then the frame.
const {
  BARE_NATS_URL: url = "",
  BARE_SUBJECT: subject = "",
  BARE_PORT: port = "",
  BARE_BYTES: bytes = "",
} = process.env;
const link = await connectNats({ url, name: "bare" });

function serveSockets(): Promise<void> {
  const app = uWS.App().ws<{ open?: boolean }>("/*", {
    open(socket) {
      socket.getUserData().open = true;
      socket.subscribe("room");
      socket.send("");
    },
    message(socket, message) {
      const asked = link.nc.request(`${subject}.commands`, new Uint8Array(Buffer.from(message)), { timeout: 10_000 });
      void asked.then((answer) => socket.getUserData().open && socket.send(answer.data, false));
    },
    close(socket) {
      socket.getUserData().open = false;
    },
  });
  link.nc.subscribe(`${subject}.live`, { callback: (_, { data }) => void app.publish("room", data, false) });
  return new Promise((resolve, reject) => {
    app.listen("127.0.0.1", Number(port), (listening) => (listening ? resolve() : reject(new Error("no port"))));
  });
}

async function write(): Promise<void> {
  const lane = await groupCommitting(link.nc, Number(bytes));
  link.nc.subscribe(`${subject}.commands`, {
    callback(_, message) {
      void lane.send("").then(() => {
        message.respond(stored);
        link.nc.publish(`${subject}.live`, message.data);
      });
    },
  });
}

const stored = Buffer.from(`{"i":1,"ok":{"room":"01968a5e-7c1a-7000-8000-3d2c1b0a9f8e","s":44,"m":17},"p":"p1"}`);
await (port === "" ? write() : serveSockets());
await link.nc.flush();
process.send?.("ready");
process.on("SIGTERM", () => process.exit(0));
process.on("disconnect", () => process.exit(0));
