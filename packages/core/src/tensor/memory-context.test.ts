import { expect, test } from "vitest";
import { createCpuBackend, linear, scope, softmax, tensor, withBackend, zeros } from "../index.js";

/** What `run` throws where 2 MiB are all there is. */
function fullOf(run: () => void): unknown {
  const backend = createCpuBackend({ maxBytes: 2 * 1024 * 1024 });
  try {
    withBackend(backend, () => scope(run));
  } catch (error) {
    return error;
  } finally {
    backend.dispose();
  }
  return undefined;
}

test.each([
  {
    run: () => void linear(zeros([1000, 2]), zeros([900, 2])),
    op: "linear",
    text: "linear of [1000,2], [900,2] to [1000,900]: allocate: a buffer of 3600000 bytes was asked for, ",
    shapes: {
      inputs: [
        [1000, 2],
        [900, 2],
      ],
      outputs: [[1000, 900]],
    },
  },
  {
    run: () => void zeros([1000, 1]).add(zeros([1000])),
    op: "add",
    text: "add of [1000,1], [1000]: allocate: a buffer of 4000000 bytes was asked for, ",
    shapes: { inputs: [[1000, 1], [1000]], outputs: [] },
  },
  {
    run: () => void zeros([1000, 1000]),
    op: "full",
    text: "full to [1000,1000]: allocate: a buffer of 4000000 bytes was asked for, ",
    shapes: { inputs: [], outputs: [[1000, 1000]] },
  },
  {
    run: () => void tensor(new Float32Array(1_000_000)),
    op: "tensor",
    text: "tensor to [1000000]: allocate: a buffer of 4000000 bytes was asked for, ",
    shapes: { inputs: [], outputs: [[1_000_000]] },
  },
  {
    run: () => {
      const x = zeros([400, 500], { requiresGrad: true });
      softmax(x).backward({ cotangent: x.detach() });
    },
    op: "softmaxBackward",
    text: "softmaxBackward of [400,500], [400,500] to [400,500]: allocate: a buffer of 800000 bytes was asked for, ",
    shapes: {
      inputs: [
        [400, 500],
        [400, 500],
      ],
      outputs: [[400, 500]],
    },
  },
])("full memory names the op and the shapes: $text", ({ run, op, text, shapes }) => {
  expect(fullOf(run)).toMatchObject({
    code: "E_OUT_OF_MEMORY",
    message: expect.stringContaining(text),
    fields: { op, ...shapes, askedBytes: expect.any(Number) },
  });
});
