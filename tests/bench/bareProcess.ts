import { connectNats, serveCommands } from "@connect-hub/jetstream";
import { type BareLog, groupCommitting, subjectPerRoom } from "./bareLog.ts";

// The ceilings of `append` and `hot-room`: a process that is asked over NATS just as the commands app is, and does nothing
// but write what it is given to a log.
const { BARE_NATS_URL: url = "", BARE_SUBJECT: subject = "", BARE_BYTES: bytes = "0" } = process.env;
const link = await connectNats({ url, name: "bare" });
const logs: { readonly [name: string]: BareLog } = {
  grouped: await groupCommitting(link.nc, Number(bytes)),
  single: await subjectPerRoom(link.nc, Number(bytes)),
};
for (const [name, log] of Object.entries(logs)) {
  serveCommands(link, {
    subject: `${subject}.${name}`,
    onMalformed: (what) => void process.stderr.write(`${what}\n`),
    onCommand: (command, answer) => void log.send(command.subject).then(() => answer({ ok: {}, position: "" })),
  });
}
await link.nc.flush();
process.send?.("ready");
process.on("SIGTERM", () => process.exit(0));
process.on("disconnect", () => process.exit(0));
