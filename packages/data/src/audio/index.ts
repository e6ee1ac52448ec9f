export type { AudioClip } from "./audio-clip.js";
export { createFft, type Fft } from "./fft.js";
export {
  type DecibelOptions,
  hertzToMel,
  logSpectrogram,
  type MelOptions,
  type MelSpectrogramOptions,
  type MfccOptions,
  melFilterBank,
  melSpectrogram,
  melToHertz,
  mfcc,
  powerToDecibels,
} from "./mel.js";
export { monoSamples, type ResampleAudioOptions, resampleAudio } from "./resample-audio.js";
export {
  type ComplexSpectrogram,
  type Spectrogram,
  type SpectrogramOptions,
  type StftOptions,
  spectrogram,
  stft,
} from "./stft.js";
