import { afterAll, expect, test } from "vitest";
import { withBackend } from "../backend/current-backend.js";
import { createCpuBackend } from "../cpu/index.js";
import { tensor } from "../tensor/create.js";
import { type HashedState, hashBlockWords, stateHash, stateHashAsync } from "./state-hash.js";

const backend = createCpuBackend();
afterAll(() => backend.dispose());

const values = (length: number, changed = -1) =>
  withBackend(backend, () => tensor(Float32Array.from({ length }, (_, i) => (i === changed ? -1 : i % 97))));

function stateOf(parts: Partial<HashedState> = {}): HashedState {
  return { parameters: [values(hashBlockWords + 5), values(3)], buffers: [], optimizer: [], counters: "{}", ...parts };
}

test("every word of every block counts, and so do order, boundaries and counters", () => {
  const [long, short] = [hashBlockWords + 5, 3];
  const states = [
    stateOf(),
    ...[0, hashBlockWords - 1, hashBlockWords, long - 1].map((i) =>
      stateOf({ parameters: [values(long, i), values(short)] }),
    ),
    stateOf({ parameters: [values(short), values(long)] }),
    stateOf({ parameters: [values(long)], buffers: [values(short + 1)] }),
    stateOf({ counters: '{"step":1}' }),
  ];
  const hashes = states.map((state) => stateHash(backend, state));
  expect(new Set(hashes).size).toBe(states.length);
  expect(hashes[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(stateHash(backend, stateOf())).toBe(hashes[0]);
});

test("a backend that answers at once gives the same digits later", async () => {
  expect(await stateHashAsync(backend, stateOf())).toBe(stateHash(backend, stateOf()));
});
