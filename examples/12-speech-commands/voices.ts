/** @file What is said, and by whom. */

/** The ten words of the Speech Commands task. @source Warden 2018, arXiv:1804.03209, section 5 */
export const words: readonly string[] = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"];

/** Variants of espeak-ng's English voices whose sounds are trained on. */
export const trainVoices: readonly string[] = [
  ...["m1", "m2", "m3", "m5", "m6", "m8", "f1", "f2", "f4", "croak", "klatt", "klatt2", "klatt3", "whisper", "Andy"],
  ...["Annie", "Denis", "Diogo", "Gene", "Jacky", "Lee", "Marco", "Mario", "Nguyen", "adam", "anika", "announcer"],
  ...["aunty", "belinda", "caleb", "david", "gustave", "kaukovalta", "max", "norbert", "paul", "rob", "robosoft3"],
  ...["shelby", "travis"],
];

/** Variants that are heard for the first time when the model is measured. None is of the family of one above. */
export const heldOutVoices: readonly string[] = [
  ...["m4", "m7", "f3", "f5", "Alicia", "Michael", "boris", "ed", "grandma", "iven", "linda", "steph", "victor", "zac"],
];

/** How a voice says a word. */
export interface Rendering {
  readonly voice: string;
  /** espeak-ng's language, as "en-gb". */
  readonly accent: string;
  /** Words in a minute. */
  readonly speed: number;
  /** 0..99 */
  readonly pitch: number;
}

/** The file of a sound. */
export function soundName(word: string, { voice, accent, speed, pitch }: Rendering): string {
  return `${word}_${voice}_${accent}_${speed}_${pitch}.wav`;
}
