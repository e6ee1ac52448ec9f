/**
 * @file Programs of more buffers than an adapter binds at a time (8 at least, 10 in most browsers): inputs beyond that are copied side by side
 * into one buffer first. Bits are copied as they are, so nothing else changes.
 */
import { BackendError, type TensorView } from "@lockstep/core";
import { contiguousStrides, numElements } from "@lockstep/core/backend";
import { copyRows } from "../kernels/copy.js";
import type { KernelHost } from "../launch/kernel.js";

/** Gives `use` the inputs in so few buffers that they and those of `outputs` can be bound together. */
export function withFewBuffers(
  host: KernelHost,
  { inputs, outputs }: { readonly inputs: readonly TensorView[]; readonly outputs: readonly TensorView[] },
  use: (inputs: readonly TensorView[]) => void,
): void {
  const limit = host.limits.maxStorageBuffersPerShaderStage;
  if (inputs.length + outputs.length <= limit) {
    use(inputs);
    return;
  }
  const written = new Set(outputs.map(({ buffer }) => buffer));
  const read = new Set(inputs.map(({ buffer }) => buffer).filter((buffer) => !written.has(buffer)));
  if (written.size + read.size <= limit) {
    use(inputs);
    return;
  }
  if (written.size >= limit) {
    throw new BackendError(
      `webgpu: an element-wise program writes ${written.size} buffers, and this adapter binds ${limit} at a time; there must be one left to read. Split the program.`,
      { numOutputs: written.size, limit },
    );
  }
  // The smallest move: one buffer takes their place.
  const bySize = [...read].map((buffer) => {
    const views = inputs.filter((view) => view.buffer === buffer);
    return { buffer, size: views.reduce((sum, view) => sum + numElements(ownShape(view)), 0) };
  });
  bySize.sort((a, b) => a.size - b.size);
  const leaving = bySize.slice(0, written.size + read.size - limit + 1);
  const places = new Set(leaving.map(({ buffer }) => buffer));
  const total = leaving.reduce((sum, { size }) => sum + size, 0);
  host.withTemporary([total], "i32", (packed) => {
    const { copy } = copyRows(host);
    let offset = packed.offset;
    use(
      inputs.map((view) => {
        if (!places.has(view.buffer)) return view;
        const { buffer, shape, strides, dtype } = view;
        const own = ownShape(view);
        const steps = contiguousStrides(own);
        copy(
          { buffer, offset: view.offset, shape: own, strides, dtype },
          { buffer: packed.buffer, offset, shape: own, strides: steps, dtype },
        );
        const moved = steps.map((step, dim) => (strides[dim] === 0 ? 0 : step));
        const start = offset;
        offset += numElements(own);
        return { buffer: packed.buffer, offset: start, shape, strides: moved, dtype };
      }),
    );
  });
}

/** The shape without what stride 0 repeats. */
function ownShape({ shape, strides }: TensorView): readonly number[] {
  return shape.map((size, dim) => (strides[dim] === 0 ? 1 : size));
}
