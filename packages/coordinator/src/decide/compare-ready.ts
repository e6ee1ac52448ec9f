/** @file Is a worker that has computed the probe fit to work with the first one that did? Pure. */
import type { MessageBody } from "@lockstep/protocol";

type Ready = MessageBody<"ready">;

export interface ReadyObjection {
  readonly code: string;
  /** What differs, as the end of a sentence about the worker. */
  readonly what: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** @returns undefined when the two can train together. */
export function compareReady(own: Ready, reference: Ready, referenceName: string): ReadyObjection | undefined {
  if (own.layout.hash !== reference.layout.hash || own.layout.gradientFloats !== reference.layout.gradientFloats) {
    return {
      code: "E_LAYOUT",
      what: `has a model of ${own.layout.gradientFloats} floats in ${own.layout.numTensors} tensors (layout ${own.layout.hash}), and ${referenceName} one of ${reference.layout.gradientFloats} floats in ${reference.layout.numTensors} tensors (layout ${reference.layout.hash}); all must build the same model`,
      fields: { own: own.layout, reference: reference.layout },
    };
  }
  const { grid } = own;
  if (
    grid.numMicroBatches !== reference.grid.numMicroBatches ||
    grid.numEvalMicroBatches !== reference.grid.numEvalMicroBatches ||
    grid.samplesPerStep !== reference.grid.samplesPerStep
  ) {
    return {
      code: "E_GRID",
      what: `has ${grid.numMicroBatches} micro-batches and ${grid.numEvalMicroBatches} for evaluation, and ${referenceName} ${reference.grid.numMicroBatches} and ${reference.grid.numEvalMicroBatches}; all must cut the same data alike`,
      fields: { own: grid, reference: reference.grid },
    };
  }
  // Workers that begin elsewhere are brought to the run's state.
  if (own.state.step === reference.state.step && own.state.stateHash !== reference.state.stateHash) {
    return {
      code: "E_INITIAL_STATE",
      what: `begins at step ${own.state.step} with state ${own.state.stateHash}, and ${referenceName} at step ${reference.state.step} with ${reference.state.stateHash}; all must begin with the same bits. Look for randomness or host Math in the job's model()`,
      fields: { own: own.state, reference: reference.state },
    };
  }
  if (own.numericClass !== reference.numericClass || own.probe.hash === reference.probe.hash) return undefined;
  const tensor = firstDifference(own, reference);
  return {
    code: "E_PROBE",
    what: `computes another probe gradient than ${referenceName} in the same numeric class "${own.numericClass}"${tensor === undefined ? "" : `; the first tensor that differs is "${tensor}"`}; both must give the same bits. Run \`lockstep check JOB\`: a job that uses Math.random, the clock or host Math is not deterministic`,
    fields: { tensor, own: own.probe.hash, reference: reference.probe.hash },
  };
}

function firstDifference(own: Ready, reference: Ready): string | undefined {
  const hashes = new Map(reference.probe.tensors.map(({ name, hash }) => [name, hash]));
  return own.probe.tensors.find(({ name, hash }) => hashes.get(name) !== hash)?.name;
}
