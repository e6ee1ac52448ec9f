/** @file The step runner of a backend, or one that runs every step as it is. */
import type { Backend } from "../backend/backend.js";
import type { StepRunner, StepRunnerOptions } from "../backend/step-runner.js";

/** Records and replays where the backend can; runs every step eagerly where it cannot, to the same bits. */
export function stepRunnerOf(backend: Backend, options: StepRunnerOptions = {}): StepRunner {
  return backend.createStepRunner?.(options) ?? eagerSteps();
}

function eagerSteps(): StepRunner {
  let numEager = 0;
  return {
    run(_place, { input, main, onMark }) {
      numEager++;
      return main(input(), (part) => onMark?.(part));
    },
    figures: () => ({ numEager, numReplayed: 0, plannedBytes: 0, unplannedBytes: 0 }),
    dispose() {},
  };
}
