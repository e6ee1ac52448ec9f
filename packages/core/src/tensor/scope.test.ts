import { afterEach, describe, expect, test } from "vitest";
import { createCpuBackend, keep, scope, type Tensor, tensor, withBackend } from "../index.js";

const backend = createCpuBackend();
const live = () => backend.memory().numBuffers;
const start = live();
afterEach(() => expect(live()).toBe(start));

describe("scope", () => {
  test("frees what is neither returned nor kept", () => {
    withBackend(backend, () => {
      let kept: Tensor | undefined;
      const result = scope(() => {
        const x = tensor([1, 2, 3]);
        kept = keep(x.mul(2));
        return { sum: x.sum(), list: [x.neg()] };
      });
      expect(live() - start).toBe(3);
      expect(result.sum.itemSync()).toBe(6);
      expect(result.list[0]!.toArraySync()).toEqual([-1, -2, -3]);
      for (const t of [kept!, result.sum, result.list[0]!]) t.dispose();
    });
  });

  test("hands returned tensors to the enclosing scope", () => {
    withBackend(backend, () => {
      scope(() => {
        const y = scope(() => tensor([1]).add(1));
        expect(y.itemSync()).toBe(2);
      });
      expect(live()).toBe(start);
    });
  });

  test("keeps memory that a returned view looks at", () => {
    const row = withBackend(backend, () =>
      scope(() =>
        tensor([
          [1, 2],
          [3, 4],
        ]).select(0, 1),
      ),
    );
    expect(row.toArraySync()).toEqual([3, 4]);
    row.dispose();
  });

  test("frees everything when the callback throws", () => {
    expect(() =>
      withBackend(backend, () =>
        scope(() => {
          tensor([1, 2]).exp();
          throw new Error("stop");
        }),
      ),
    ).toThrow("stop");
  });

  test("refuses a callback that returns a promise", () => {
    expect(() => scope(async () => 1)).toThrow(expect.objectContaining({ name: "StateError", code: "E_ASYNC_SCOPE" }));
  });
});

describe("a disposed tensor", () => {
  test("refuses to be used, and disposing twice is once", () => {
    const x = withBackend(backend, () => tensor([1, 2]));
    const view = x.reshape([2, 1]);
    x.dispose();
    x.dispose();
    expect(() => x.add(1)).toThrowErrorMatchingInlineSnapshot(
      `[StateError: tensor [2]: it was disposed and cannot be used. Return it from its scope or call keep() on it.]`,
    );
    expect(view.toArraySync()).toEqual([[1], [2]]);
    view.dispose();
  });

  test("is what `using` leaves behind", () => {
    let outside: Tensor;
    {
      using x = withBackend(backend, () => tensor([1]));
      outside = x;
    }
    expect(outside.isDisposed).toBe(true);
  });
});
