"""The photos for benchmarks: 40 of LFW and 12 larger ones of up to 1280 px, or variants of two packaged portraits.

They are written as files to a folder, so that every worker reads the same bytes.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

_T = TypeVar("_T")

FACES = Path(__file__).resolve().parents[2] / "shared" / "faces"
SIDE = 1280

_LARGER = (
    "dlib_faces/faces/2008_001322.jpg",
    "dlib_faces/faces/2007_007763.jpg",
    "dlib_faces/faces/bald_guys.jpg",
    "dlib_faces/faces/Tom_Cruise_avp_2014_4.jpg",
    "compreface/sample_images/000_5.jpg",
    "compreface/sample_images/011_3.jpg",
    "compreface/sample_images/015_6.jpg",
    "wider_face/WIDER_val/images/20--Family_Group/20_Family_Group_Family_Group_20_72.jpg",
    "wider_face/WIDER_val/images/20--Family_Group/20_Family_Group_Family_Group_20_411.jpg",
    "wider_face/WIDER_val/images/19--Couple/19_Couple_Couple_19_125.jpg",
    "wider_face/WIDER_val/images/13--Interview/13_Interview_Interview_On_Location_13_238.jpg",
    "wider_face/WIDER_val/images/13--Interview/13_Interview_Interview_2_People_Visible_13_461.jpg",
)


@dataclass(frozen=True, slots=True)
class Photos:
    """Some photo files and their description.

    Attributes:
        paths: paths of JPEGs.
        says: a line for the report.
    """

    paths: list[Path]
    says: str

    def __len__(self) -> int:
        return len(self.paths)


def mix(folder: Path, small: int = 40, larger: int = 12) -> Photos:
    """Write the mix to a folder, the larger photos spread evenly, the first three small.

    One of those takes ten times the work of a small one: were they all in a row, some seconds would see many, others none.
    """
    if not FACES.is_dir():
        return _packaged(folder, _spread([250] * small, [SIDE - 70 * (index % 12) for index in range(larger)]))
    found = _spread(_lfw(small), [FACES / name for name in _LARGER[:larger]])
    paths = [_fitted(path, folder / f"{number:02}.jpg", SIDE) for number, path in enumerate(found)]
    return Photos(paths, f"{small} LFW photos and {larger} of dlib, CompreFace and WIDER FACE of up to {SIDE} px")


def lfw(folder: Path, count: int) -> Photos:
    """Return LFW photos, 250×250, one person in the middle of each."""
    if not FACES.is_dir():
        return _packaged(folder, [250] * count)
    paths = [_fitted(path, folder / f"{number:02}.jpg", 250) for number, path in enumerate(_lfw(count))]
    return Photos(paths, f"{count} LFW photos, 250×250")


def wider(folder: Path, count: int, side: int = 1024) -> Photos:
    """Return WIDER FACE photos, no side longer than `side`: the package takes more than 20 GB for huge ones."""
    images = sorted((FACES / "wider_face" / "WIDER_val" / "images").glob("*/*.jpg"))
    if not images:
        return _packaged(folder, [side] * count)
    chosen = images[:: max(1, len(images) // count)][:count]
    paths = [_fitted(path, folder / f"{number:02}.jpg", side) for number, path in enumerate(chosen)]
    return Photos(paths, f"{count} photos of WIDER FACE of up to {side} px")


def _spread(small: list[_T], larger: list[_T]) -> list[_T]:
    count = len(small) + len(larger)
    rest, among = iter(small), iter(larger)
    is_larger = [(index + 1) * len(larger) // count > index * len(larger) // count for index in range(count)]
    return [next(among if each else rest) for each in is_larger]


def _lfw(count: int) -> list[Path]:
    people = sorted((FACES / "lfw_deepfunneled").iterdir())
    step = max(1, len(people) // count)
    return [sorted(person.glob("*.jpg"))[0] for person in people[::step][:count]]


def _fitted(source: Path, target: Path, side: int) -> Path:
    """Copy a photo unchanged, or scaled down if it is too large."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        if max(image.size) <= side and image.format == "JPEG":
            target.write_bytes(source.read_bytes())
        else:
            image.thumbnail((side, side))
            image.convert("RGB").save(target, quality=92)
    return target


def _packaged(folder: Path, sides: list[int]) -> Photos:
    """Make photos of these sides out of two portraits that come with scikit-image and matplotlib."""
    import matplotlib as mpl
    import skimage

    portraits = [
        Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png").convert("RGB"),
        Image.open(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg").convert("RGB"),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    paths = []
    for number, side in enumerate(sides):
        portrait = portraits[number % 2]
        left, top = (int(draw.integers(0, 40)) for _ in range(2))
        shown = portrait.crop((left, top, left + 460, top + 460)).resize((side, side), Image.Resampling.BICUBIC)
        if number % 4 > 1:
            shown = shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        stream = io.BytesIO()
        shown.save(stream, "JPEG", quality=90)
        path = folder / f"{number:02}.jpg"
        path.write_bytes(stream.getvalue())
        paths.append(path)
    return Photos(paths, f"{len(sides)} variants of two packaged portraits, as ../shared/faces is not here")
