import { describe, expect, test } from "vitest";
import { createNodeCpuBackend } from "../node/create-node-cpu-backend.js";
import { createCpuBackend } from "./cpu-backend.js";
import { findFusedObstacle, hasRelaxedSimd } from "./numeric-class.js";

describe("numeric class", () => {
  test("fused is refused with a reason where relaxed SIMD is missing, and proven where it is there", () => {
    if (!hasRelaxedSimd()) {
      expect(() => createCpuBackend({ numeric: "fused" })).toThrowError(
        expect.objectContaining({
          code: "E_NUMERIC_CLASS",
          fields: { numeric: "fused", reason: "this engine has no relaxed SIMD (or it is switched off)" },
        }),
      );
    }
    const obstacle = findFusedObstacle();
    // core/node switches relaxed SIMD on; from then on the answer is the machine's.
    const create = () => createNodeCpuBackend({ numeric: "fused" });
    try {
      const backend = create();
      expect(backend.numericClass).toBe("fused");
      expect(findFusedObstacle()).toBeUndefined();
    } catch (error) {
      expect(error).toMatchObject({ code: "E_NUMERIC_CLASS" });
      expect(obstacle ?? findFusedObstacle()).toBeTypeOf("string");
    }
  });

  test("strict is the default", () => {
    expect(createCpuBackend().numericClass).toBe("strict");
    expect(createNodeCpuBackend().numericClass).toBe("strict");
  });
});
