import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Arena } from "./arena.js";
import { createCpuBackend, createCpuMemory } from "./cpu-backend.js";
import { alignment, firstBufferAddress } from "./memory-layout.js";
import { viewOf } from "./views.testkit.js";

const newArena = (maxBytes = 64 * 1024 * 1024) => new Arena(createCpuMemory({ shared: false }), { maxBytes });

describe("arena", () => {
  test("live buffers are aligned, apart, inside the memory, and the figures add up, whatever the order of calls", () => {
    const calls = fc.array(fc.record({ isFree: fc.boolean(), bytes: fc.nat(300_000), pick: fc.nat() }), {
      maxLength: 120,
    });
    fc.assert(
      fc.property(calls, (list) => {
        const arena = newArena();
        const live: { address: number; bytes: number }[] = [];
        let peak = 0;
        for (const { isFree, bytes, pick } of list) {
          if (isFree && live.length > 0) {
            const { address } = live.splice(pick % live.length, 1)[0] as (typeof live)[number];
            arena.free(address);
          } else {
            const address = arena.allocate(bytes);
            expect(address % alignment).toBe(0);
            expect(address).toBeGreaterThanOrEqual(firstBufferAddress);
            const end = address + Math.max(bytes, 1);
            expect(end + alignment).toBeLessThanOrEqual(arena.memory.buffer.byteLength);
            for (const other of live) expect(end <= other.address || other.address + other.bytes <= address).toBe(true);
            live.push({ address, bytes: Math.max(alignment, Math.ceil(bytes / alignment) * alignment) });
          }
          const used = live.reduce((sum, block) => sum + block.bytes, 0);
          peak = Math.max(peak, used);
          expect(arena.figures()).toMatchObject({ usedBytes: used, peakBytes: peak, numBuffers: live.length });
        }
        for (const { address } of live) arena.free(address);
        const { reservedBytes } = arena.figures();
        // All gaps have become one: the whole can be had again without growing.
        if (reservedBytes > 0) arena.allocate(reservedBytes);
        expect(arena.figures().reservedBytes).toBe(reservedBytes);
      }),
      { numRuns: 200, seed: 3 },
    );
  });

  test("a step that frees what it allocates finds the same addresses and takes no more memory", () => {
    const arena = newArena();
    const kept = [100, 5_000, 64].map((bytes) => arena.allocate(bytes));
    const step = () => {
      const addresses = [40_000, 1_000, 40_000, 77].map((bytes) => arena.allocate(bytes));
      arena.free(addresses[1] as number);
      addresses.push(arena.allocate(500), arena.allocate(90_000));
      for (const address of addresses.filter((_, i) => i !== 1)) arena.free(address);
      return addresses;
    };
    const first = step();
    const { reservedBytes } = arena.figures();
    for (let i = 0; i < 100; i++) expect(step()).toEqual(first);
    expect(arena.figures().reservedBytes).toBe(reservedBytes);
    expect(kept).toHaveLength(3);
  });

  test("says what was asked, what is used and what there is when nothing fits", () => {
    const arena = newArena(8 * 1024 * 1024);
    arena.allocate(1_000_000);
    expect(() => arena.allocate(9_000_000)).toThrowError(
      expect.objectContaining({
        code: "E_OUT_OF_MEMORY",
        fields: { askedBytes: 9_000_000, usedBytes: 1_000_000, maxBytes: 8_388_608, largestFreeBytes: 0 },
      }),
    );
    expect(arena.allocate(5_000_000)).toBeGreaterThan(0);
  });

  test("refuses to free an address twice", () => {
    const arena = newArena();
    const address = arena.allocate(10);
    arena.free(address);
    expect(() => arena.free(address)).toThrowError(expect.objectContaining({ code: "E_STATE" }));
  });
});

describe("buffers of the backend", () => {
  test("cannot be freed twice, used after, or passed to another backend's memory", () => {
    const backend = createCpuBackend();
    const view = viewOf(backend, [3]);
    backend.free(view.buffer);
    expect(() => backend.free(view.buffer)).toThrowError(expect.objectContaining({ code: "E_STATE" }));
    expect(() => backend.readSync(view)).toThrowError(expect.objectContaining({ code: "E_STATE" }));
    expect(() => backend.readSync({ ...view, buffer: { byteLength: 12 } })).toThrowError(
      expect.objectContaining({ code: "E_BACKEND" }),
    );
  });

  test("keep their contents when the memory grows", () => {
    const backend = createCpuBackend();
    const view = viewOf(backend, [4], Float32Array.of(1, 2, 3, 4));
    const { byteLength } = backend.wasmMemory.buffer;
    backend.allocate(32 * 1024 * 1024);
    expect(backend.wasmMemory.buffer.byteLength).toBeGreaterThan(byteLength);
    expect(Array.from(backend.readSync(view))).toEqual([1, 2, 3, 4]);
    const out = viewOf(backend, [4]);
    backend.kernels.addInto(view, view, out);
    expect(Array.from(backend.readSync(out))).toEqual([2, 4, 6, 8]);
  });
});
