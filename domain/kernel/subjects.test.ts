import { expect, test } from "vitest";
import { epoch8, subjects } from "./subjects.ts";

const epoch = "0123456789abcdef0123456789abcdef";

test("names without a prefix are the stored format", () => {
  const names = subjects();
  expect(names.lanesBucket).toBe("lanes");
  expect(names.logStream("rooms.3", epoch)).toBe("LOG_rooms_3_01234567");
  expect(names.log("rooms.3", epoch)).toBe("log.rooms.3.01234567");
  expect(names.commands("accounts.0", "w1")).toBe("cmd.accounts.0.w1");
  expect(names.liveRoom("0190b3c4-0000-7000-8000-000000000001")).toBe("live.room.0190b3c4-0000-7000-8000-000000000001");
  expect(names.beat("rooms.3")).toBe("beat.rooms.3");
  expect(names.instances).toBe("instances.commands");
  expect(names.edgesStream).toBe("EDGES");
  expect(names.edge("edge-1-0a")).toBe("edge.lease.edge-1-0a");
  expect(names.edgeRevokes).toBe("edge.revoke");
  expect(names.edgeConfirms("edge-1-0a")).toBe("edge.confirm.edge-1-0a");
  expect(names.headsStream).toBe("HEADS");
  expect(names.head("rooms.3", epoch)).toBe("head.rooms.3.01234567");
  expect(names.head("rooms.3", "*")).toBe("head.rooms.3.*");
  expect(epoch8(epoch)).toBe("01234567");
});

test("a prefix stands before every name", () => {
  const names = subjects("t1-");
  expect(names.lanesBucket).toBe("t1-lanes");
  expect(names.logStream("accounts.0", epoch)).toBe("t1-LOG_accounts_0_01234567");
  expect(names.log("accounts.0", epoch)).toBe("t1-log.accounts.0.01234567");
});

test("a prefix that would change the meaning of a name is refused", () => {
  for (const prefix of ["a.", "a b", "*", ">", "é"]) expect(() => subjects(prefix)).toThrow(TypeError);
});
