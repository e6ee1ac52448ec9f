/** @file Puts functions that call each other into one WebAssembly module: every function after the ones it calls. */
import type { BuildContext, CpuNumericClass, FunctionDefinition } from "./kernel.js";
import { assembleModule, type FunctionBuilder, type MemoryLimits } from "./wasm/assembler.js";

export interface BuiltModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Place of each function, in the module and in its list of exports. */
  readonly indexOf: ReadonlyMap<string, number>;
}

/** Assembles the definitions and everything they call. Two definitions of one name must be the same object. */
export function buildModule(
  definitions: readonly FunctionDefinition[],
  numericClass: CpuNumericClass,
  limits: MemoryLimits,
): BuiltModule {
  const functions: FunctionBuilder[] = [];
  const indexOf = new Map<string, number>();
  const definitionOf = new Map<string, FunctionDefinition>();
  const context: BuildContext = {
    numericClass,
    indexOf(definition) {
      const known = definitionOf.get(definition.name);
      if (known !== undefined && known !== definition) {
        throw new TypeError(
          `buildModule: two functions are named "${definition.name}"; names in a module must be unique.`,
        );
      }
      definitionOf.set(definition.name, definition);
      const index = indexOf.get(definition.name);
      if (index !== undefined) return index;
      if (known !== undefined)
        throw new TypeError(`buildModule: "${definition.name}" calls itself; recursion is not supported.`);
      const built = definition.build(context);
      indexOf.set(definition.name, functions.length);
      functions.push(built);
      return functions.length - 1;
    },
  };
  for (const definition of definitions) context.indexOf(definition);
  return { bytes: assembleModule(functions, limits), indexOf };
}
