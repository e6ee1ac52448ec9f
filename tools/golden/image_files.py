"""PNG and JPEG files written by Pillow, and the pixels Pillow reads from them."""
import io

import numpy as np
from PIL import Image

from _golden_json import save

rng = np.random.default_rng(32)
y, x = np.mgrid[0:19, 0:27]
smooth = np.stack([x * 9, y * 13, 255 - x * 4 - y * 5], axis=-1).astype(np.uint8)  # kind to JPEG
noise = rng.integers(0, 256, (19, 27, 4)).astype(np.uint8)
cases = {}


def case(name, image, mode=None, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    read = Image.open(io.BytesIO(file.getvalue()))
    pixels = np.array(read.convert(mode) if mode else read)
    cases[name] = {
        "file": file.getvalue(),
        "shape": [*pixels.shape[:2], pixels.shape[2] if pixels.ndim == 3 else 1],
        "pixels": pixels.astype("<u2" if pixels.dtype.itemsize > 1 else "u1").tobytes(),
    }


case("png/gray", Image.fromarray(noise[..., 0], "L"))
case("png/grayAlpha", Image.fromarray(noise[..., :2], "LA"))
case("png/rgb", Image.fromarray(noise[..., :3], "RGB"))
case("png/rgba", Image.fromarray(noise, "RGBA"))
case("png/bilevel", Image.fromarray(noise[..., 0], "L").convert("1"), mode="L")
case("png/palette4", Image.fromarray(smooth, "RGB").quantize(11), mode="RGB")
case("png/palette8", Image.fromarray(noise[..., :3], "RGB").quantize(200), mode="RGB")
case("png/paletteAlpha", Image.fromarray(smooth, "RGB").quantize(5), mode="RGBA", transparency=3)
case("png/gray16", Image.fromarray(noise[..., 0].astype(np.int32) * 257 + noise[..., 1], "I"))
case("jpeg/rgb444", Image.fromarray(smooth, "RGB"), format="JPEG", quality=92, subsampling=0)
case("jpeg/rgb420", Image.fromarray(smooth, "RGB"), format="JPEG", quality=92, subsampling=2)
case("jpeg/progressive", Image.fromarray(smooth, "RGB"), format="JPEG", quality=92, subsampling=0, progressive=True)
case("jpeg/gray", Image.fromarray(smooth[..., 0], "L"), format="JPEG", quality=90, mode="RGB")

save(__file__, cases)
