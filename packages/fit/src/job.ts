/**
 * @file What `import ... from "lockstep"` means in a module that a worker loads: `compile` gives the job and trains nothing.
 *
 * A worker imports the module that defines a model. If that module also called `fit`, every worker would begin a fit of its own.
 */
import { createCompile } from "./compile.js";
import { FitError } from "./fit-error.js";

export * as callbacks from "./callbacks/index.js";
export { FitError } from "./fit-error.js";

const refuse = (): never => {
  throw new FitError(
    "E_FIT_IN_WORKER",
    "fit: it was called while a worker loaded the module that defines the model; that module must only define it. Call fit in another module, which imports this one.",
  );
};

export const compile: ReturnType<typeof createCompile> = createCompile({
  createBackend: refuse,
  progress: refuse,
  launch: refuse,
});
