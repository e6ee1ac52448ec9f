import { expect, test } from "vitest";
import type { ComputeEngine, EngineInfo, ImportedState } from "../engine/compute-engine.js";
import type { ControlPort } from "./session-ports.js";
import { StateTransfer } from "./state-transfer.js";

const files = ["model", "optimizer"].map((name, i) => ({ name, sha256: String(i).repeat(64), byteLength: 1 }));

/** A transfer over a line that breaks when `breaksAt` is asked for, once. */
function transferOver(line: { breaksAt: string | undefined }) {
  const fetched: string[] = [];
  const imported: ImportedState[] = [];
  const control = {
    fetchBlob: async ({ sha256 }: { sha256: string }) => {
      const { name } = files.find((file) => file.sha256 === sha256)!;
      if (line.breaksAt === name) {
        line.breaksAt = undefined;
        throw Object.assign(new Error("control: the line broke"), { code: "E_CONTROL_CLOSED" });
      }
      fetched.push(name);
      return Uint8Array.of(name.length);
    },
  } as unknown as ControlPort;
  const engine = {
    importState: async (state: ImportedState) => {
      imported.push(state);
      return { step: state.step, stateHash: "h" };
    },
  } as unknown as ComputeEngine;
  const transfer = new StateTransfer({
    control: () => control,
    engine: () => ({ engine, info: {} as EngineInfo }),
    sha256: () => "",
    log: () => {},
  });
  return { transfer, fetched, imported };
}

test("a file of the state that came before the line broke does not come again", async () => {
  const { transfer, fetched, imported } = transferOver({ breaksAt: "optimizer" });
  const order = { step: 7, stateHash: "h", files };
  await expect(transfer.restore(order)).rejects.toMatchObject({ code: "E_CONTROL_CLOSED" });
  expect(await transfer.restore(order)).toMatchObject({ step: 7, measures: { stateHash: "h" } });
  expect(fetched).toEqual(["model", "optimizer"]);
  expect(imported.map(({ files: [model, optimizer] }) => [model!.bytes[0], optimizer!.bytes[0]])).toEqual([[5, 9]]);
  // What was taken is kept no longer.
  await transfer.restore(order);
  expect(fetched).toEqual(["model", "optimizer", "model", "optimizer"]);
});
