import { appEnv, runApp } from "@connect-hub/runtime";
import { readDoorConfig } from "./config.ts";
import { startDoor } from "./index.ts";

runApp("door", () => startDoor(readDoorConfig(appEnv("door"))));
