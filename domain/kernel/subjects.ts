import type { LaneId } from "../values/ids.ts";

/** The names of everything in NATS. One system has one prefix: empty in service, of its own in each test. */
export interface Subjects {
  /** The bucket that says which epoch and stream each lane has. */
  readonly lanesBucket: string;
  /** The stream of one epoch of a lane. */
  logStream(lane: LaneId, epoch: string): string;
  /** The only subject of that stream. */
  log(lane: LaneId, epoch: string): string;
  /** Where one writer takes a lane's commands. */
  commands(lane: LaneId, writer: string): string;
  /** Where the same writer takes what the service `actor` sends; `*` is any service. */
  services(actor: string, lane: LaneId, writer: string): string;
  /** Where the frames of a room go. */
  liveRoom(room: string): string;
  /** Where a lane's writer beats. */
  beat(lane: LaneId): string;
  /** The stream of signed heads, and the subject of those of one epoch of a lane; `*` for the epoch is all of its epochs. */
  readonly headsStream: string;
  head(lane: LaneId, epoch: string): string;
  /** The bucket that says what each internal service may see, under its name. */
  readonly servicesBucket: string;
  /** The bucket in which the internal service `name` keeps how far it is. */
  serviceBucket(name: string): string;
  /** The stream of the edges that serve, and where the edge `id` says that it does; `*` is any edge. */
  readonly edgesStream: string;
  edge(id: string): string;
  /** Where edges ask each other to confirm that something has ended, and where the edge `id` hears that they do. */
  readonly edgeRevokes: string;
  edgeConfirms(id: string): string;
  /** Where the filtering door takes what the internal service `name` asks; `*` is any service. */
  door(name: string, what: string): string;
  /** Where the instances of `commands` say that they are there. */
  readonly instances: string;
}

/** How many hex digits of an epoch stand in names, position tokens and cursors. */
const epochDigits = 8;

/** The first 8 hex digits of an epoch. */
export function epoch8(epoch: string): string {
  return epoch.slice(0, epochDigits);
}

/** The service that sent a message on one of `Subjects.services`. NATS lets each publish under its own name alone. */
export function serviceOf(subject: string): string {
  return subject.split(".")[1] ?? "";
}

/** The names under `prefix`: letters, digits, `-` and `_` only. Throws a `TypeError` for any other. */
export function subjects(prefix = ""): Subjects {
  if (!/^[A-Za-z0-9_-]*$/.test(prefix)) throw new TypeError(`"${prefix}" is not a prefix for NATS names`);
  return {
    lanesBucket: `${prefix}lanes`,
    logStream: (lane, epoch) => `${prefix}LOG_${lane.replace(".", "_")}_${epoch8(epoch)}`,
    log: (lane, epoch) => `${prefix}log.${lane}.${epoch8(epoch)}`,
    commands: (lane, writer) => `${prefix}cmd.${lane}.${writer}`,
    services: (actor, lane, writer) => `${prefix}sys.${actor}.${lane}.${writer}`,
    liveRoom: (room) => `${prefix}live.room.${room}`,
    beat: (lane) => `${prefix}beat.${lane}`,
    headsStream: `${prefix}HEADS`,
    head: (lane, epoch) => `${prefix}head.${lane}.${epoch8(epoch)}`,
    servicesBucket: `${prefix}services`,
    serviceBucket: (name) => `${prefix}service_${name}`,
    door: (name, what) => `${prefix}door.${name}.${what}`,
    instances: `${prefix}instances.commands`,
    edgesStream: `${prefix}EDGES`,
    edge: (id) => `${prefix}edge.lease.${id}`,
    edgeRevokes: `${prefix}edge.revoke`,
    edgeConfirms: (id) => `${prefix}edge.confirm.${id}`,
  };
}
