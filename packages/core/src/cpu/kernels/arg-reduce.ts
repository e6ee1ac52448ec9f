/** @file Index of the first largest or smallest value of [outer, K, inner] over K. */
import type { ArgReduceKind, KernelTable } from "../../backend/kernel-table.js";
import { defineKernel, type Kernel, type KernelRoom } from "../kernel.js";
import type { Local } from "../wasm/assembler.js";

const grainElements = 16_384;

/** One item is one output. A NaN counts as the extreme: the first one wins. */
function argKernel(kind: ArgReduceKind): Kernel<{ x: "i32"; out: "i32"; axisLength: "i32"; inner: "i32" }> {
  return defineKernel(kind, { x: "i32", out: "i32", axisLength: "i32", inner: "i32" }, ({ f, begin, end, arg }) => {
    const [x, out, axisLength, inner] = [arg("x"), arg("out"), arg("axisLength"), arg("inner")];
    const [outer, k, best, address] = f.locals("i32", 4) as [Local, Local, Local, Local];
    const [value, extreme] = f.locals("f32", 2) as [Local, Local];
    f.forUp(
      begin,
      () => f.get(end),
      1,
      () => {
        f.get(begin).get(inner).op("i32.div_u").set(outer);
        f.get(x).get(outer).get(axisLength).get(inner).op("i32.mul", "i32.mul");
        f.get(begin)
          .get(outer)
          .get(inner)
          .op("i32.mul", "i32.sub", "i32.add")
          .i32(2)
          .op("i32.shl", "i32.add")
          .tee(address);
        f.mem("f32.load").set(extreme).i32(0).set(best).i32(1).set(k);
        f.forUp(
          k,
          () => f.get(axisLength),
          1,
          () => {
            f.get(address).get(inner).i32(2).op("i32.shl", "i32.add").tee(address).mem("f32.load").tee(value);
            f.get(extreme)
              .op(kind === "argMax" ? "f32.gt" : "f32.lt")
              .get(value)
              .get(value)
              .op("f32.ne", "i32.or");
            f.get(extreme)
              .get(extreme)
              .op("f32.eq", "i32.and")
              .if(() => f.get(value).set(extreme).get(k).set(best));
          },
        );
        f.get(out).get(begin).i32(2).op("i32.shl", "i32.add").get(best).mem("i32.store");
      },
    );
  });
}

const argKernels = { argMax: argKernel("argMax"), argMin: argKernel("argMin") } as const;

export const argReduceRoom: KernelRoom<Pick<KernelTable, "argReduce">> = {
  kernels: [argKernels.argMax, argKernels.argMin],
  rows: (host) => ({
    argReduce(kind, x, { outer, axisLength, inner }, out) {
      const args = { x: host.addressOf(x), out: host.addressOf(out), axisLength, inner };
      const options = { numItems: outer * inner, grain: Math.ceil(grainElements / Math.max(1, axisLength)) };
      host.launch(argKernels[kind], args, options);
    },
  }),
};
