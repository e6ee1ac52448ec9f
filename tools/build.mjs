import { ensureBuilt } from "./workspace.mjs";

ensureBuilt();
