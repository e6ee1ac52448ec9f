/** Legend: B batch, S source, T target, V vocabulary. */
import {
  concat,
  Generator,
  losses,
  type nn,
  optim,
  scope,
  seedScope,
  stateDictFromSafetensors,
  stateDictToSafetensors,
  type Tensor,
  tensor,
} from "@lockstep/core";
import { describe, expect, test } from "vitest";
import type { TextInputs } from "../text-classifier/recurrent-classifier.js";
import { beamSearch } from "./beam-search.js";
import type { DecodingModel } from "./decoding-model.js";
import { greedyDecode } from "./greedy-decode.js";
import { RecurrentSeq2Seq, type RecurrentSeq2SeqConfig } from "./recurrent-seq2seq.js";
import { TransformerSeq2Seq, type TransformerSeq2SeqConfig } from "./transformer-seq2seq.js";

const [startToken, endToken, firstLetter, numLetters] = [1, 2, 3, 6];
const vocab = { sourceVocabSize: firstLetter + numLetters, targetVocabSize: firstLetter + numLetters };
const longest = 6;
const recurrent: RecurrentSeq2SeqConfig = { ...vocab, embedDim: 16, hiddenDim: 32 };
const transformer: TransformerSeq2SeqConfig = {
  ...vocab,
  ...{ sourceSeqLen: longest, targetSeqLen: longest + 2, embedDim: 32, numHeads: 4, numLayers: 1, feedforwardDim: 64 },
};

type Model = nn.Module &
  DecodingModel<unknown> & { forward(source: Tensor, target: Tensor, inputs?: TextInputs): Tensor };
const models: Readonly<Record<string, () => Model>> = {
  "GRU, Luong": () => new RecurrentSeq2Seq(recurrent),
  "LSTM, Bahdanau": () => new RecurrentSeq2Seq({ ...recurrent, cell: "lstm", attention: "additive" }),
  transformer: () => new TransformerSeq2Seq(transformer),
};
const names = Object.keys(models);
const i32 = (rows: readonly (readonly number[])[]) => tensor(rows as number[][], { dtype: "i32" });

/** Words of 2 to 6 letters, filled up with 0, and the same from behind: never the same word twice among `count`. */
function words(count: number, seed: number) {
  const random = new Generator(seed);
  const sources = Array.from({ length: count }, () =>
    Array.from({ length: 2 + random.integer(longest - 1) }, () => firstLetter + random.integer(numLetters)),
  );
  const fill = (row: readonly number[], size: number, filler: number) => [
    ...row,
    ...new Array<number>(size - row.length).fill(filler),
  ];
  const targets = sources.map((word) => word.toReversed());
  return {
    targets,
    source: i32(sources.map((word) => fill(word, longest, 0))),
    lengths: sources.map((word) => word.length),
    inputs: i32(targets.map((word) => fill([startToken, ...word], longest + 1, 0))),
    outputs: i32(targets.map((word) => fill([...word, endToken], longest + 1, -100))),
  };
}

function train(model: Model, steps: number, learningRate: number): void {
  const optimizer = new optim.AdamW(model.parameters(), { learningRate });
  for (let step = 0; step < steps; step++) {
    scope(() => {
      const { source, lengths, inputs, outputs } = words(64, 100 + step);
      losses.meanLoss(losses.crossEntropy(model.forward(source, inputs, { lengths }), outputs)).backward();
    });
    optimizer.learningRate = learningRate * (1 - step / steps);
    optimizer.step();
    optimizer.zeroGrad();
  }
}

const trained = new Map<string, Model>();
function trainedModel(name: string): Model {
  const known = trained.get(name);
  if (known !== undefined) return known;
  const model = seedScope(3, models[name]!);
  train(model, name === "transformer" ? 250 : 150, name === "transformer" ? 0.006 : 0.015);
  trained.set(name, model);
  return model;
}
const options = { startToken, endToken, maxNewTokens: longest + 2 };

describe.each(names)("%s", (name) => {
  test("learns to write words from behind: at least 95 % of new ones without a mistake", () => {
    const { source, lengths, targets } = words(200, 1);
    const decoded = greedyDecode(trainedModel(name), source, { ...options, lengths });
    const right = decoded.filter(
      ({ tokens, isComplete }, i) => isComplete && String([...tokens]) === String(targets[i]),
    );
    expect(right.length).toBeGreaterThanOrEqual(190);
  });

  test("a beam of width 1 is greedy decoding; a wider one never scores below it", () => {
    const untrained = seedScope(8, models[name]!);
    for (const model of [trainedModel(name), untrained]) {
      const { source, lengths } = words(12, 2);
      for (const lengthPenalty of [0, 1]) {
        const all = { ...options, lengths, lengthPenalty };
        const greedy = greedyDecode(model, source, all);
        expect(beamSearch(model, source, { ...all, beamWidth: 1 })).toEqual(greedy.map((sequence) => [sequence]));
        const beams = beamSearch(model, source, { ...all, beamWidth: 4 });
        for (const [i, beam] of beams.entries()) {
          expect(beam.length).toBeGreaterThanOrEqual(1);
          expect(beam[0]!.score).toBeGreaterThanOrEqual(greedy[i]!.score);
          expect(beam.map(({ score }) => score)).toEqual(beam.map(({ score }) => score).sort((a, b) => b - a));
        }
      }
    }
  });

  test("step by step it gives the logits of the whole pass, and a sequence's log probability is the sum of its tokens'", () => {
    const model = trainedModel(name).eval();
    const { source, lengths, inputs } = words(5, 3);
    const whole = model.forward(source, inputs, { lengths });
    let state = model.encode(source, { lengths });
    for (let t = 0; t <= longest; t++) {
      const next = model.step(inputs.select(1, t), state);
      state = next.state;
      expect(Math.max(...next.logits.sub(whole.select(1, t)).abs().dataSync())).toBeLessThan(2e-4);
    }
    const [decoded] = greedyDecode(model, source.narrow(0, 0, 1), { ...options, lengths: lengths.slice(0, 1) });
    const made = [...decoded!.tokens, endToken];
    const logits = model.forward(source.narrow(0, 0, 1), i32([[startToken, ...decoded!.tokens]]), {
      lengths: lengths.slice(0, 1),
    });
    const total = made.reduce((sum, token, t) => sum + logits.logSoftmax().at(0, t, token).itemSync(), 0);
    expect(decoded!.logProbability).toBeCloseTo(total, 4);
    model.train();
  });

  test("a source gives the same alone as in a batch with padding", () => {
    const model = trainedModel(name);
    const { source, lengths } = words(6, 4);
    const together = beamSearch(model, source, { ...options, lengths, beamWidth: 3 });
    for (const [i, length] of lengths.entries()) {
      const alone = beamSearch(model, source.narrow(0, i, 1).narrow(1, 0, length), { ...options, beamWidth: 3 });
      expect(alone[0]!.map(({ tokens }) => [...tokens])).toEqual(together[i]!.map(({ tokens }) => [...tokens]));
      for (const [j, { score }] of alone[0]!.entries()) expect(score).toBeCloseTo(together[i]![j]!.score, 4);
    }
  });

  test("decoding leaves no memory behind and the model in training", () => {
    const model = seedScope(8, models[name]!);
    const { source, lengths } = words(4, 5);
    const { backend } = source;
    const before = backend.memory().numBuffers;
    greedyDecode(model, source, { ...options, lengths });
    beamSearch(model, source, { ...options, lengths, beamWidth: 3 });
    expect(backend.memory().numBuffers).toBe(before);
    expect(model.training).toBe(true);
  });

  test("a step gives back what the state before it held alone", () => {
    const model = seedScope(8, models[name]!);
    const { source, lengths } = words(4, 5);
    const counts: number[] = [];
    const counted: DecodingModel<unknown> = {
      config: model.config,
      encode: (ids, inputs) => model.encode(ids, inputs),
      step: (tokens, state) => {
        counts.push(source.backend.memory().numBuffers);
        return model.step(tokens, state);
      },
    };
    greedyDecode(counted, source, { ...options, lengths, endToken: 0 });
    expect(counts.length).toBeGreaterThan(4);
    expect(new Set(counts.slice(2)).size).toBe(1);
  });

  test("weights go through a safetensors file and back", async () => {
    const [from, to] = [1, 2].map((seed) => seedScope(seed, models[name]!));
    const { source, lengths, inputs } = words(3, 6);
    const logits = (model: Model) => [...model.forward(source, inputs, { lengths }).dataSync()];
    expect(logits(to!)).not.toEqual(logits(from!));
    to!.loadStateDict(stateDictFromSafetensors(await stateDictToSafetensors(from!.stateDict())));
    expect(logits(to!)).toEqual(logits(from!));
  });
});

describe("beam search on a model of given probabilities", () => {
  /** Log probabilities by the tokens so far; everything else is improbable. */
  function tableModel(table: Readonly<Record<string, readonly number[]>>): DecodingModel<{ readonly tokens: Tensor }> {
    return {
      config: { targetVocabSize: 4 },
      encode: (source) => ({ tokens: tensor(new Int32Array(source.shape[0]!), { shape: [source.shape[0]!, 1] }) }),
      step: (tokens, state) => {
        const past = concat([state.tokens, tokens.reshape([-1, 1])], 1);
        const rows = (past.toArraySync() as number[][]).map((row) => {
          const probabilities = table[row.slice(2).join("")] ?? [0.25, 0.25, 0.25, 0.25];
          return probabilities.map((p) => Math.log(Math.max(p, 1e-9)));
        });
        return { logits: tensor(rows), state: { tokens: past } };
      },
    };
  }
  // Token 0 ends, 3 begins. Greedy takes 1 (0.6), then everything is unsure; 2 (0.4) goes on with certainty.
  const trap = tableModel({
    "": [0, 0.6, 0.4, 0],
    "1": [0.4, 0.2, 0.2, 0.2],
    "2": [0.95, 0.05, 0, 0],
  });
  const given = { startToken: 3, endToken: 0, maxNewTokens: 3 };
  const source = i32([[0]]);
  const listed = (beams: readonly { readonly tokens: Int32Array; readonly score: number }[]) =>
    beams.map(({ tokens, score }) => [[...tokens].join(""), Math.exp(score).toFixed(3)]);

  test("finds what greedy misses", () => {
    expect(listed(greedyDecode(trap, source, given))).toEqual([["1", "0.240"]]);
    expect(listed(beamSearch(trap, source, { ...given, beamWidth: 2 })[0]!)).toEqual([
      ["2", "0.380"],
      ["1", "0.240"],
    ]);
  });

  test("equal probabilities are taken in the order of hypotheses and tokens", () => {
    const even = tableModel({
      "": [0, 0.5, 0.5, 0],
      "1": [0.5, 0, 0.5, 0],
      "2": [0.5, 0.5, 0, 0],
      "12": [1, 0, 0, 0],
      "21": [1, 0, 0, 0],
    });
    // Of (1, end), (1, 2), (2, end) and (2, 1), all equal, the first two stay.
    expect(listed(beamSearch(even, source, { ...given, beamWidth: 2 })[0]!)).toEqual([
      ["1", "0.250"],
      ["12", "0.250"],
    ]);
  });

  test("the length penalty prefers longer sequences", () => {
    const lengths = tableModel({ "": [0.5, 0.5, 0, 0], "1": [0, 0.7, 0.3, 0], "11": [1, 0, 0, 0], "12": [1, 0, 0, 0] });
    const run = (lengthPenalty: number) =>
      beamSearch(lengths, source, { ...given, beamWidth: 2, lengthPenalty })[0]!.map(({ tokens }) =>
        [...tokens].join(""),
      );
    expect(run(0)).toEqual(["", "11"]);
    expect(run(4)).toEqual(["11", ""]);
    const [best] = beamSearch(lengths, source, { ...given, beamWidth: 2, lengthPenalty: 4 })[0]!;
    expect(best!.score).toBeCloseTo(Math.log(0.35) / (8 / 6) ** 4, 7);
  });

  test("the greedy sequence is kept though the beam has dropped it", () => {
    // 1 is greedy's first token; two continuations of 2 and 3 then push it out, but its end is certain later on.
    const late = tableModel({
      "": [0, 0.4, 0.35, 0.25],
      "1": [0, 0.34, 0.33, 0.33],
      "2": [0, 0.5, 0.5, 0],
      "11": [1, 0, 0, 0],
      "21": [0.3, 0.3, 0.2, 0.2],
      "22": [0.3, 0.3, 0.2, 0.2],
    });
    expect(listed(greedyDecode(late, source, given))).toEqual([["11", "0.136"]]);
    expect(listed(beamSearch(late, source, { ...given, beamWidth: 2 })[0]!)[0]).toEqual(["11", "0.136"]);
  });

  test("a sequence without its end is cut and says so", () => {
    const endless = tableModel({});
    const [only] = greedyDecode(tableModel({ "": [0, 1, 0, 0], "1": [0, 1, 0, 0] }), source, {
      ...given,
      maxNewTokens: 2,
    });
    expect([[...only!.tokens], only!.isComplete]).toEqual([[1, 1], false]);
    expect(greedyDecode(endless, source, given)[0]!.isComplete).toBe(true);
  });

  test.each([
    {
      run: () => greedyDecode(trap, source, { ...given, endToken: 4 }),
      code: "E_TOKEN_RANGE",
      message: "greedyDecode: endToken is 4; it must be in 0..3.",
    },
    {
      run: () => beamSearch(trap, source, { ...given, beamWidth: 0 }),
      code: "E_VALUE",
      message: "beamSearch: beamWidth is 0; it must be a whole number of at least 1.",
    },
    {
      run: () => beamSearch(trap, source, { ...given, beamWidth: 1, lengthPenalty: -1 }),
      code: "E_VALUE",
      message: "beamSearch: lengthPenalty is -1; it must be finite and at least 0.",
    },
    {
      run: () => greedyDecode(models.transformer!(), source, { ...options, maxNewTokens: 9 }),
      code: "E_VALUE",
      message: "greedyDecode: maxNewTokens is 9; it must be a whole number in 1..8 (targetSeqLen).",
    },
    {
      run: () => greedyDecode(tableModel({ "": [Number.NaN, 0, 0, 0] }), source, given),
      code: "E_NOT_FINITE",
      message:
        "greedyDecode: the logit of token 0 is NaN; all logits must be finite. The model's weights are probably not.",
    },
    {
      run: () => new RecurrentSeq2Seq(recurrent).forward(i32([[3]]), i32([[1], [1]])),
      code: "E_SHAPE",
      message: "RecurrentSeq2Seq: source is [1,1] and target [2,1]; they must have one number of rows.",
    },
    {
      run: () => new RecurrentSeq2Seq({ ...recurrent, attention: "dot" as "general" }),
      code: "E_MODEL_CONFIG",
      message: 'RecurrentSeq2Seq: attention is "dot"; it must be one of general, additive.',
    },
    {
      run: () => new TransformerSeq2Seq({ ...transformer, numHeads: 5 }),
      code: "E_MODEL_CONFIG",
      message: "TransformerSeq2Seq: embedDim is 32 and numHeads 5; the second must divide the first.",
    },
    {
      run: () => new TransformerSeq2Seq(transformer).forward(i32([[3, 4]]), i32([[1]]), { lengths: [3] }),
      code: "E_SEQUENCE_LENGTH",
      message:
        "TransformerSeq2Seq: the length at position 0 is 3; it must be a whole number in 1..2, the steps of a row.",
    },
  ])("says: $message", ({ run, code, message }) => {
    expect(run).toThrow(expect.objectContaining({ code, message }));
  });
});
