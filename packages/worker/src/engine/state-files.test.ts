import { decodeSafetensors } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { parseJobConfig } from "../job/parse-config.js";
import { tinyMlpJob } from "./tiny-jobs.testkit.js";
import type { TrainingEngineOptions } from "./training-engine.js";
import { neverStop, prepared, reducedOf, sha256, trainAlone } from "./training-engine.testkit.js";

describe("a checkpoint", () => {
  const saved = () => {
    const engine = prepared(tinyMlpJob);
    trainAlone(engine, 1, 2);
    const { files, step } = engine.exportState();
    return { step, files: new Map(files.map(({ name, bytes }) => [name, bytes])) };
  };

  test("L4 gives the bits back: the state hash and everything after it", () => {
    const whole = prepared(tinyMlpJob);
    const expected = trainAlone(whole, 1, 4);
    const resumed = prepared(tinyMlpJob, { restore: saved() });
    expect(trainAlone(resumed, 3, 4)).toBe(expected);
    expect(resumed.exportState().paramsSha256).toBe(whole.exportState().paramsSha256);
  });

  test("of another architecture names the tensor and both shapes", () => {
    const config = parseJobConfig(tinyMlpJob, { hiddenDim: 9 });
    expect(() => prepared(tinyMlpJob, { config, restore: saved() })).toThrow(
      expect.objectContaining({
        code: "E_CHECKPOINT",
        fields: expect.objectContaining({ name: "fc1.weight", stored: [7, 3], model: [9, 3] }),
      }),
    );
  });

  test("with a flipped byte does not have the hash it was written with", () => {
    const restore = saved();
    const weights = restore.files.get("model.safetensors")!;
    weights[weights.length - 3]! ^= 1;
    expect(() => prepared(tinyMlpJob, { restore })).toThrow(expect.objectContaining({ code: "E_CHECKPOINT" }));
  });

  test("whose optimizer counts another step does not have the hash it was written with", () => {
    const restore = saved();
    const trainer = JSON.parse(new TextDecoder().decode(restore.files.get("trainer.json")));
    trainer.optimizer.numSteps++;
    restore.files.set("trainer.json", new TextEncoder().encode(JSON.stringify(trainer)));
    expect(() => prepared(tinyMlpJob, { restore })).toThrow(
      expect.objectContaining({ code: "E_CHECKPOINT", message: expect.stringContaining("the state read has hash") }),
    );
  });

  test("of another seed is refused", () => {
    expect(() => prepared(tinyMlpJob, { seed: 8, restore: saved() })).toThrow(
      expect.objectContaining({ code: "E_CHECKPOINT", fields: { key: "seed", found: 7, expected: 8 } }),
    );
  });

  test("its weights can start another run", () => {
    const initFrom = saved().files.get("model.safetensors")!;
    const fresh = prepared(tinyMlpJob);
    const tuned = prepared(tinyMlpJob, { initFrom });
    expect(tuned.exportState().paramsSha256).not.toBe(fresh.exportState().paramsSha256);
    expect(tuned.exportState().step).toBe(0);
  });
});

describe("a state that another worker exported", () => {
  /** Five steps; the state after the third and the reduced gradients of the last two. */
  const trained = (options: Partial<TrainingEngineOptions> = {}) => {
    const engine = prepared(tinyMlpJob, options);
    trainAlone(engine, 1, 3);
    const exported = engine.exportState();
    const gradients = [4, 5].map((step) => {
      trainAlone(engine, step, step);
      return reducedOf(engine).slice();
    });
    return { engine, exported, gradients };
  };

  test("has the sha256 of every file", () => {
    const { files, paramsSha256 } = trained().exported;
    for (const file of files) expect(file.sha256).toBe(sha256([file.bytes]));
    const model = decodeSafetensors(files[0]!.bytes).tensors;
    const numbers = [...model.values()].map(({ data }) => new Uint8Array(data.buffer));
    expect(paramsSha256).toBe(sha256(numbers));
  });

  test("brings a fresh worker level by the gradients that were applied since, to the bit", () => {
    const { engine, exported, gradients } = trained();
    const joiner = prepared(tinyMlpJob);
    joiner.computeNodes({ step: 1, nodes: [{ lo: 0, hi: 2 }] }, neverStop); // of a step that is long over
    expect(joiner.importState(exported)).toEqual({ step: 3, stateHash: exported.stateHash });
    for (const [i, gradient] of gradients.entries()) {
      reducedOf(joiner).set(gradient);
      joiner.applyStep(4 + i);
    }
    expect(joiner.exportState()).toEqual(engine.exportState());
    expect(trainAlone(joiner, 6, 6)).toBe(trainAlone(engine, 6, 6));
  });

  test("is not changed by what its exporter computes afterwards", () => {
    const { engine } = trained();
    const { files } = engine.exportState();
    const before = files.map(({ bytes }) => sha256([bytes]));
    trainAlone(engine, 6, 6);
    expect(files.map(({ bytes }) => sha256([bytes]))).toEqual(before);
  });

  test.each<[string, (files: Map<string, Uint8Array>) => void]>([
    ["lacks a file", (files) => void files.delete("optimizer.safetensors")],
    ["has a flipped byte in its last file", (files) => flipByte(files.get("optimizer.safetensors")!)],
    ["is cut off", (files) => void files.set("optimizer.safetensors", files.get("optimizer.safetensors")!.subarray(9))],
    ["is no JSON", (files) => void files.set("trainer.json", new Uint8Array(3))],
    ["has other counters", (files) => changeTrainer(files, (trainer) => trainer.optimizer!.numSteps++)],
    ["has no counters", (files) => changeTrainer(files, (trainer) => Object.assign(trainer, { optimizer: null }))],
    ["is of another step", (files) => changeTrainer(files, (trainer) => Object.assign(trainer, { step: 4 }))],
  ])("that %s is refused, and nothing is changed", (_, damage) => {
    const { exported } = trained();
    const files = new Map(exported.files.map(({ name, bytes }) => [name, bytes.slice()]));
    damage(files);
    const joiner = prepared(tinyMlpJob);
    trainAlone(joiner, 1, 1);
    const held = { step: 2, nodes: [{ lo: 0, hi: 4 }] };
    joiner.computeNodes(held, neverStop);
    const before = joiner.exportState();
    const damaged = { step: 3, files: [...files].map(([name, bytes]) => ({ name, bytes })) };
    expect(() => joiner.importState(damaged)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^E_(CHECKPOINT|FORMAT)$/) }),
    );
    expect(joiner.exportState()).toEqual(before);
    expect(trainAlone(joiner, 2, 5)).toBe(trained().engine.exportState().stateHash);
  });

  test("of another seed or architecture is refused", () => {
    const { exported } = trained({ seed: 8 });
    const refused = expect.objectContaining({ code: "E_CHECKPOINT" });
    expect(() => prepared(tinyMlpJob).importState(exported)).toThrow(refused);
    const wide = prepared(tinyMlpJob, { seed: 8, config: parseJobConfig(tinyMlpJob, { hiddenDim: 9 }) });
    expect(() => wide.importState(exported)).toThrow(refused);
  });
});

function flipByte(bytes: Uint8Array): void {
  bytes[bytes.length - 3]! ^= 1;
}

interface ChangedTrainer {
  step: number;
  optimizer: { numSteps: number } | null;
}

function changeTrainer(files: Map<string, Uint8Array>, change: (trainer: ChangedTrainer) => unknown): void {
  const trainer = JSON.parse(new TextDecoder().decode(files.get("trainer.json"))) as ChangedTrainer;
  change(trainer);
  files.set("trainer.json", new TextEncoder().encode(JSON.stringify(trainer)));
}
