import { appEnv, runApp } from "@connect-hub/runtime";
import { readCommandsConfig } from "./config.ts";
import { startCommands } from "./index.ts";

runApp("commands", () => startCommands(readCommandsConfig(appEnv("commands"))));
