/**
 * Makes the sounds of this example with espeak-ng (Debian: `apt-get install espeak-ng`).
 *
 *   npm run sounds -- FOLDER [--renderings N]   N WAV files (default 2) of each word by each voice, named WORD_VOICE_ACCENT_SPEED_PITCH.wav
 *   npm run sounds -- FOLDER --picture          and what the model hears of them: log-mels.png and renderings.csv, which lie beside this file
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Generator } from "@lockstep/core";
import { encode } from "fast-png";
import { logMelsOfWav } from "./log-mels.js";
import { drawSounds } from "./sound-picture.js";
import { heldOutVoices, type Rendering, soundName, trainVoices, words } from "./voices.js";

const accents = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029", "en-us-nyc"] as const;
const slowest = 125;
const lowest = 25;

/** Accent, speed and pitch are drawn anew for each rendering of each voice: the same for the same seed. */
export function drawRenderings(numRenderings: number, seed: number): Rendering[] {
  const random = new Generator(seed);
  return [...trainVoices, ...heldOutVoices].flatMap((voice) =>
    Array.from({ length: numRenderings }, () => ({
      voice,
      accent: accents[random.integer(accents.length)]!,
      speed: slowest + random.integer(91),
      pitch: lowest + random.integer(51),
    })),
  );
}

/** Lets espeak-ng say a word into a file. Returns the file. */
export function say(word: string, rendering: Rendering, folder: string): string {
  const { voice, accent, speed, pitch } = rendering;
  const file = join(folder, soundName(word, rendering));
  if (existsSync(file)) return file;
  const args = ["-v", `${accent}+${voice}`, "-s", String(speed), "-p", String(pitch), "-w", file, word];
  const { error, status, stderr } = spawnSync("espeak-ng", args, { encoding: "utf8" });
  if (error !== undefined) {
    throw new Error("say: espeak-ng does not start; it must be installed. On Debian: apt-get install espeak-ng", {
      cause: error,
    });
  }
  if (status !== 0) throw new Error(`say: espeak-ng ${args.join(" ")} ended with ${status}: ${stderr}`);
  return file;
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { renderings: { type: "string", default: "2" }, picture: { type: "boolean", default: false } },
  });
  const [folder] = positionals;
  if (folder === undefined) throw new Error("make-sounds: FOLDER is missing; it must say where the WAV files go.");
  mkdirSync(folder, { recursive: true });
  const renderings = drawRenderings(Number(values.renderings), 12);
  const rows = renderings.map((rendering) => words.map((word) => say(word, rendering, folder)));
  console.log(`${rows.length * words.length} sounds are in ${folder}`);
  if (!values.picture) return;
  const beside = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const picture = drawSounds(rows.map((files) => files.map((file) => logMelsOfWav(readFileSync(file), file))));
  writeFileSync(beside("log-mels.png"), encode({ ...picture, channels: 1, depth: 8 }, { zlib: { level: 9 } }));
  const lines = renderings.map(({ voice, accent, speed, pitch }) => [voice, accent, speed, pitch].join(","));
  writeFileSync(beside("renderings.csv"), `voice,accent,speed,pitch\n${lines.join("\n")}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
