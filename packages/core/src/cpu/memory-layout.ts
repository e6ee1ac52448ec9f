/**
 * @file Where things are in the shared memory of a CPU backend. Address 0 is never used. The first pages are fixed; buffers follow.
 *
 * control: words by which threads find work (see thread-team.ts) · args: one args block a thread · directory: address and length of
 * every published module · tables: constants that kernels read · from `firstBufferAddress` on: the arena.
 */
export const pageBytes = 65_536;
/** 4 GiB: what a 32-bit memory can have. */
export const maxPages = 65_536;

export const maxThreads = 64;
/** An args block: words of arguments, then room for pooled constants (see FunctionBuilder.poolConstants). */
export const argsBlockBytes = 2_048;
export const argsBytes = 1_024;
export const maxPooledConstants = (argsBlockBytes - argsBytes) / 16;
export const maxModules = 8_000;

export const controlAddress = 64;
export const argsAddress = 4_096;
export const directoryAddress = argsAddress + maxThreads * argsBlockBytes;
export const tablesAddress = directoryAddress + 64_000;
export const firstBufferAddress = 4 * pageBytes;

/** Every buffer starts at and is padded to a multiple of this. */
export const alignment = 64;

export const alignUp = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;
