import { Generator } from "@lockstep/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { chooseFault } from "./soak/choose-fault.js";
import { judgeMemory } from "./soak/memory-watch.js";

const names = ["w0", "w1", "w2", "w3", "w4"];

test("never kills the steadfast worker, and never takes away the last one that holds the state", () => {
  fc.assert(
    fc.property(fc.nat(), fc.subarray(names), fc.subarray(names), (seed, running, members) => {
      const fault = chooseFault(new Generator(seed), { running, members, steadfast: "w0", numStarted: 5 });
      if (fault?.kind === "join") {
        expect(fault.name).toBe("w5");
        expect(running.length).toBeLessThan(4);
      }
      if (fault?.kind !== "kill" && fault?.kind !== "freeze") return;
      expect(running).toContain(fault.name);
      expect(members.some((name) => name !== fault.name && running.includes(name))).toBe(true);
      if (fault.kind === "kill") expect(fault.name).not.toBe("w0");
    }),
  );
});

test("a hundred draws see every kind of fault", () => {
  const random = new Generator(1);
  const state = { running: ["w0", "w1", "w2"], members: ["w0", "w1", "w2"], steadfast: "w0", numStarted: 3 };
  const kinds = Array.from({ length: 100 }, () => chooseFault(random, state)?.kind);
  expect(new Set(kinds)).toEqual(new Set(["kill", "freeze", "join", "restartCoordinator"]));
});

test("memory that swings is flat, memory that climbs is not, and warm-up does not count", () => {
  const mib = 2 ** 20;
  const swinging = Array.from({ length: 80 }, (_, i) => (100 + (i % 7)) * mib);
  const climbing = Array.from({ length: 80 }, (_, i) => (100 + i) * mib);
  const warming = Array.from({ length: 80 }, (_, i) => (i < 20 ? 40 : 100) * mib);
  expect(judgeMemory("a", swinging).isFlat).toBe(true);
  expect(judgeMemory("b", climbing)).toMatchObject({ isFlat: false, earlyBytes: 130 * mib, lateBytes: 170 * mib });
  expect(judgeMemory("c", warming).isFlat).toBe(true);
});
