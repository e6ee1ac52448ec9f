"""Fourier transforms, mel scales, cepstral coefficients and resampling in f64 by NumPy and SciPy, each written from its definition."""
import numpy as np
from scipy.fft import dct

from _golden_json import save

rng = np.random.default_rng(35)
RATE = 8000
seconds = np.arange(700) / RATE
sound = (0.5 * np.sin(2 * np.pi * 440 * seconds) + 0.2 * np.sin(2 * np.pi * 1900 * seconds + 1)).astype(np.float32)
sound = (sound + 0.05 * rng.normal(size=sound.size)).astype(np.float32)
wide = sound.astype(np.float64)
cases = {"sound": sound}
for size in [1, 2, 8, 64, 3, 7, 30, 100]:
    signal = rng.normal(size=size) + 1j * rng.normal(size=size)
    out = np.fft.fft(signal)
    cases[f"fft/{size}"] = {"re": signal.real, "im": signal.imag, "outRe": out.real, "outIm": out.imag}


def stft(fft_size, hop, window_length, center=True):
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_length) / window_length)
    left = (fft_size - window_length) // 2
    window = np.pad(window, (left, fft_size - window_length - left))
    padded = np.pad(wide, fft_size // 2, mode="reflect") if center else wide
    frames = [padded[i : i + fft_size] * window for i in range(0, padded.size - fft_size + 1, hop)]
    return np.fft.rfft(np.array(frames), axis=1).T


for name, options in {
    "default": {"fft_size": 64, "hop": 16, "window_length": 64},
    "short": {"fft_size": 100, "hop": 37, "window_length": 61},
    "plain": {"fft_size": 64, "hop": 64, "window_length": 64, "center": False},
}.items():
    out = stft(**options)
    cases[f"stft/{name}"] = {**options, "shape": out.shape, "re": out.real.ravel(), "im": out.imag.ravel()}


def to_mel(f, scale):
    if scale == "htk":
        return 2595 * np.log10(1 + f / 700)
    return np.where(f < 1000, f / (200 / 3), 15 + np.log(np.maximum(f, 1) / 1000) / (np.log(6.4) / 27))


def to_hertz(m, scale):
    if scale == "htk":
        return 700 * (10 ** (m / 2595) - 1)
    return np.where(m < 15, m * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (m - 15)))


def bank(scale, norm, num_mels, fft_size, low=0, high=RATE / 2):
    corners = to_hertz(np.linspace(to_mel(np.float64(low), scale), to_mel(np.float64(high), scale), num_mels + 2), scale)
    bins = np.arange(fft_size // 2 + 1) * RATE / fft_size
    up = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    down = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(up, down))
    return triangles * (2 / (corners[2:] - corners[:-2]))[:, None] if norm == "slaney" else triangles


power = np.abs(stft(256, 64, 256)) ** 2
for scale, norm in [("htk", "none"), ("slaney", "slaney")]:
    mels = bank(scale, norm, 20, 256) @ power
    decibels = 10 * np.log10(np.maximum(1e-10, mels))
    decibels = np.maximum(decibels, decibels.max() - 80)
    cases[f"mel/{scale}"] = {
        "bank": bank(scale, norm, 20, 256).ravel(),
        "mels": mels.ravel(),
        "decibels": decibels.ravel(),
        "mfcc": dct(decibels, axis=0, type=2, norm="ortho")[:13].ravel(),
    }


def resample(rate, width=6, rolloff=0.99):
    cutoff = rolloff * min(RATE, rate)
    out = np.zeros(-(-wide.size * rate // RATE))
    for n in range(out.size):
        t = cutoff * (np.arange(wide.size) / RATE - n / rate)
        weights = np.where(np.abs(t) < width, np.sinc(t) * np.cos(np.pi * t / 2 / width) ** 2, 0)
        out[n] = np.sum(wide * weights) * cutoff / RATE
    return out


for rate in [4000, 11025, 16000, 6000]:
    cases[f"resample/{rate}"] = resample(rate)

save(__file__, cases)
