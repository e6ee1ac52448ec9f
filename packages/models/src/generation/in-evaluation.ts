import { nn } from "@lockstep/core";

/** Runs `fn` with dropout off where `model` is a module, and puts it back as it was. */
export function inEvaluation<T>(model: unknown, fn: () => T): T {
  if (!(model instanceof nn.Module)) return fn();
  const wasTraining = model.training;
  model.eval();
  try {
    return fn();
  } finally {
    if (wasTraining) model.train();
  }
}
