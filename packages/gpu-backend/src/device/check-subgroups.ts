/**
 * @file Whether a device exchanges values within subgroups as the reductions need it: neighbouring invocations of a workgroup lie in one
 * subgroup, place by place. WGSL does not promise that, and some drivers choose another size for each kernel, so that only the least
 * size is counted on, and a kernel shows whether it holds.
 */
import { defineKernel } from "../launch/kernel.js";
import { adapterName } from "./adapter-name.js";
import { askWords } from "./ask-words.js";
import type { OpenedDevice } from "./open-device.js";

/** Word `item`: which invocation of the workgroup answered at each distance, folded into one number. */
const exchange = defineKernel({
  name: "checkSubgroups",
  operands: { out: "write i32" },
  params: {},
  uses: [
    {
      name: "exchangeAll",
      code: "",
      subgroupCode: ({ SUBGROUP: size = 0 }) => {
        const lines: string[] = [];
        for (let half = 1; half < size; half *= 2) {
          lines.push(`  word = word * 257u + subgroupShuffleXor(lane, ${half}u);`);
        }
        return `fn exchangeAll(lane: u32) -> u32 {\n  var word = 0u;\n${lines.join("\n")}\n  return word;\n}`;
      },
    },
  ],
  body: "  out_put(item, bitcast<i32>(exchangeAll(lane)));",
});
const numGroups = 5;

/** What `exchange` must answer. */
export function expectedWords(size: number): Int32Array {
  return Int32Array.from({ length: numGroups * 256 }, (_, item) => {
    let word = 0;
    for (let half = 1; half < size; half *= 2) word = (Math.imul(word, 257) + ((item % 256) ^ half)) | 0;
    return word;
  });
}

export interface SubgroupCheck {
  /** Neighbours that reductions may count on: a power of two; 0 for none. */
  readonly size: number;
  /** Why the feature is there and not used: one line. */
  readonly reason?: string;
}

/** Runs a small kernel, where the device has the feature. A check that fails is no error: reductions use workgroup memory then, to the same bits. */
export async function checkSubgroups({ device, features, adapter }: OpenedDevice): Promise<SubgroupCheck> {
  if (!features.has("subgroups")) return { size: 0 };
  const unused = (what: string): SubgroupCheck => {
    return {
      size: 0,
      reason: `webgpu: reductions on "${adapterName(adapter)}" do without subgroups: ${what}. Results are the same.`,
    };
  };
  const least = device.adapterInfo?.subgroupMinSize ?? 0;
  if (least < 4 || (least & (least - 1)) !== 0) return unused(`the least size it names is ${least}`);
  const size = Math.min(least, 256);
  const launch = { kernel: exchange, params: {}, options: { groups: numGroups, constants: { SUBGROUP: size } } };
  const expected = expectedWords(size);
  const asked = askWords(device, [launch], { length: expected.length, feature: "subgroups" });
  const words = await asked.catch((error: Error) => error);
  if (words instanceof Error) return unused(words.message);
  const wrong = expected.findIndex((word, i) => words[i] !== word);
  if (wrong < 0) return { size };
  return unused(`in groups of ${size}, invocation ${wrong % 256} is answered by others than its neighbours`);
}
