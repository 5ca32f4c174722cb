import { appEnv, runApp } from "@connect-hub/runtime";
import { readProjectorConfig } from "./config.ts";
import { startProjectors } from "./index.ts";

runApp("projector", () => startProjectors(readProjectorConfig(appEnv("projector"))));
