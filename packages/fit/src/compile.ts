import { createCpuBackend, type nn, type Tensor } from "@lockstep/core";
import { CompiledModel } from "./compiled-model.js";
import { assertDefinition, type FitDefinition, type ModelInputs } from "./definition.js";
import type { FitPorts } from "./fit-ports.js";

/** `compile` for a place with these ports. */
export function createCompile(ports: FitPorts) {
  /**
   * A model that can be fitted.
   *
   * @throws {FitError} E_FIT_DEFINITION naming what is missing or of the wrong kind.
   * @source keras.Model.compile
   * @example
   * // not run: Net, x and y are the reader's
   * const model = compile({ model: () => new Net(), loss: "crossEntropy", optimizer: "adam", learningRate: 1e-3 });
   * const history = await model.fit({ x, y }, { epochs: 5, validationSplit: 0.1 });
   */
  return function compile<I extends ModelInputs = Tensor, M extends nn.Module = nn.Module>(
    definition: FitDefinition<I, M>,
  ): CompiledModel<I, M> {
    assertDefinition(definition as unknown as FitDefinition<never, never>);
    return new CompiledModel(definition, ports);
  };
}

/** `compile` that needs nothing: one thread of this process, in Node or a browser. */
export const compile: ReturnType<typeof createCompile> = createCompile({ createBackend: () => createCpuBackend() });
