"""What decoding a photo costs, by format and size: made pictures, so it runs anywhere."""

import io
import time

import numpy as np
from PIL import Image

from facegroup.image import decode
from facegroup.settings import Limits


def encoded(width: int, height: int, form: str, **options: int) -> bytes:
    """Return a picture with about a photo's detail."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(stream, form, **options)
    return stream.getvalue()


def main() -> None:
    for width, height in ((256, 256), (1024, 768), (6000, 4000)):
        for form in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
            data = encoded(width, height, form, **({"speed": 10} if form == "AVIF" else {}))
            rounds = max(1, 10_000_000 // (width * height))
            start = time.perf_counter()
            for _ in range(rounds):
                decode(data, Limits(image_bytes=len(data)))
            took = (time.perf_counter() - start) / rounds
            print(f"{form:5} {width:5} × {height:<5} {len(data) / 1e6:6.2f} MB {took * 1e3:8.2f} ms")


if __name__ == "__main__":
    main()
