"""Measure decoding by format and size, on made-up pictures with about the detail of a photo, so that it runs anywhere."""

import io
import time

import numpy as np
from PIL import Image

from benchmarks.report import Options, Report, run
from facegroup.images.decode import decode
from facegroup.settings import Limits


def measure(options: Options) -> Report:
    """Decode pictures of every format and size."""
    report = Report("decoding: bytes in, RGB out, one thread")
    sizes = ((256, 256), (1024, 768), (4000, 3000))
    for width, height in sizes[:2] if options.quick else sizes:
        for form in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
            data = _encoded(width, height, form, **({"speed": 10} if form == "AVIF" else {}))
            rounds = max(1, 5_000_000 // (width * height))
            start = time.perf_counter()
            for _ in range(rounds):
                decode(data, Limits(image_bytes=len(data)))
            took = (time.perf_counter() - start) / rounds
            report.add(f"{form} {width} × {height}, {len(data) / 1e6:.2f} MB", took * 1e3, "ms")
    return report


def _encoded(width: int, height: int, form: str, **options: int) -> bytes:
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(stream, form, **options)
    return stream.getvalue()


if __name__ == "__main__":
    run(measure)
