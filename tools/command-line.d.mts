import type { ParseArgsOptionsConfig, parseArgs } from "node:util";

export declare function readCommandLine<
  const Options extends ParseArgsOptionsConfig,
  const Positionals extends boolean = false,
>(config: {
  readonly name: string;
  readonly usage: string;
  readonly options: Options;
  readonly allowPositionals?: Positionals;
}):
  | ReturnType<typeof parseArgs<{ options: Options & { help: { type: "boolean" } }; allowPositionals: Positionals }>>
  | number;
