"""Resizing and affine sampling by PyTorch in f64, hue by colorsys, and the blends of torchvision's colour functions written out."""
import colorsys
import math

import numpy as np
import torch
import torch.nn.functional as F

from _golden_json import save

def settled(tensor):
    """Ten decimals: the last bits of PyTorch's f64 depend on the processor."""
    return np.round(tensor.numpy().ravel(), 10) + 0.0


rng = np.random.default_rng(34)
H, W = 9, 12
image = rng.random((3, H, W)).astype(np.float32)
wide = torch.from_numpy(image.astype(np.float64))[None]
cases = {"image": {"shape": [3, H, W], "data": image.ravel()}}
for height, width in [(5, 7), (18, 10), (9, 12), (1, 1)]:
    out = F.interpolate(wide, size=(height, width), mode="bilinear", align_corners=False)
    cases[f"resize/{height}x{width}"] = settled(out)


def affine(angle=0, translate=(0, 0), scale=1, shear=(0, 0)):
    a, sx, sy = (math.radians(value) for value in (angle, *shear))
    rotation = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    forward = rotation @ np.array([[1, 0], [-math.tan(sy), 1]]) @ np.array([[1, -math.tan(sx)], [0, 1]]) * scale
    inverse = np.linalg.inv(forward)
    # output pixel -> input pixel about the middle, then into the coordinates of grid_sample, -1..1 over the edges of the image
    half = np.diag([W / 2, H / 2])
    theta = np.linalg.inv(half) @ np.concatenate([inverse @ half, (-inverse @ np.array(translate))[:, None]], axis=1)
    grid = F.affine_grid(torch.from_numpy(theta)[None], (1, 3, H, W), align_corners=False)
    return F.grid_sample(wide, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


for name, arguments in {
    "turn": {"angle": 30},
    "move": {"translate": (2.5, -1)},
    "scale": {"scale": 0.7},
    "shear": {"shear": (20, -10)},
    "all": {"angle": -75, "translate": (1, 2), "scale": 1.3, "shear": (-15, 5)},
}.items():
    cases[f"affine/{name}"] = {"arguments": arguments, "data": settled(affine(**arguments))}

gray = 0.2989 * image[0].astype(np.float64) + 0.587 * image[1] + 0.114 * image[2]


def blend(factor, other):
    return np.clip(factor * image.astype(np.float64) + (1 - factor) * other, 0, 1).ravel()


cases["brightness/1.4"] = blend(1.4, 0)
cases["contrast/0.6"] = blend(0.6, gray.mean())
cases["saturation/1.7"] = blend(1.7, gray)
cases["gray"] = np.stack([gray] * 3).ravel()
for shift in [0.3, -0.5]:
    hsv = [colorsys.rgb_to_hsv(*pixel) for pixel in image.astype(np.float64).reshape(3, -1).T]
    cases[f"hue/{shift}"] = np.array([colorsys.hsv_to_rgb((h + shift) % 1, s, v) for h, s, v in hsv]).T.ravel()

save(__file__, cases)
