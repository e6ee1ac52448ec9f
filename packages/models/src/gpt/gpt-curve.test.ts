import {
  clipGradNorm,
  Generator,
  hash128,
  losses,
  microBatchScope,
  optim,
  schedules,
  seedScope,
  tensor,
  treeAccumulator,
} from "@lockstep/core";
import { expect, test } from "vitest";
import { Gpt, gptConfig } from "../index.js";

/** Words of a fixed list in random order: something to learn, the same everywhere. */
function sentence(length: number): Int32Array {
  const words = ["the people ", "of the union ", "shall not ", "be governed ", "by fear, ", "nor by debt. "];
  const generator = new Generator(9);
  let text = "";
  while (text.length < length) text += words[generator.integer(words.length)];
  const characters = [...new Set(words.join(""))].sort();
  return Int32Array.from(text.slice(0, length), (character) => characters.indexOf(character));
}

/** The loss of 50 steps, by the plain loop: two micro-batches of four windows, dropout, clipping, warm-up and cosine. */
function lossCurve(): number[] {
  const model = seedScope(1, () => new Gpt(gptConfig("gpt-nano", { vocabSize: 32, dropout: 0.1 })));
  const { seqLen } = model.config;
  const tokens = sentence(50 * 8 * (seqLen + 1));
  const optimizer = new optim.AdamW(model.parameters(), { weightDecay: 0.1 });
  const schedule = schedules.warmup(schedules.cosine({ from: 1e-2, steps: 45 }), { warmupSteps: 5 });
  return Array.from({ length: 50 }, (_, step) => {
    const tree = treeAccumulator(model, 2);
    let total = 0;
    for (const m of [0, 1]) {
      microBatchScope({ seed: 1, step, m }, () => {
        const first = (step * 8 + m * 4) * (seqLen + 1);
        const windows = tokens.subarray(first, first + 4 * (seqLen + 1));
        const batch = tensor(windows, { shape: [4, seqLen + 1] });
        const logits = model.forward(batch.narrow(1, 0, seqLen).contiguous());
        const { sum, weight } = losses.crossEntropy(logits, batch.narrow(1, 1, seqLen).contiguous());
        sum.backward();
        total += sum.itemSync();
        tree.add(weight);
      });
    }
    tree.assignGradients();
    clipGradNorm(model.parameters(), 1);
    optimizer.learningRate = schedule(step);
    optimizer.step();
    optimizer.zeroGrad();
    return total / (8 * seqLen);
  });
}

test("the loss curve of a tiny char-GPT is this one, to the bit (strict)", () => {
  const curve = lossCurve();
  const shown = [0, 9, 19, 29, 39, 49].map((step) => curve[step]!);
  expect(shown).toMatchInlineSnapshot(`
    [
      3.4791576862335205,
      2.644466519355774,
      2.0531115531921387,
      1.7782588601112366,
      1.6422008872032166,
      1.534616231918335,
    ]
  `);
  expect(hash128(new Uint8Array(Float64Array.from(curve).buffer))).toMatchInlineSnapshot(
    `"79d628033b632cdafb382bc6d72358b2"`,
  );
});
