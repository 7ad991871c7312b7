"""Photos for the demo: varied copies of two people from installed packages, or the user's own folders.

Real photos with free licences: Grace Hopper (matplotlib's sample data) and Eileen Collins (scikit-image's astronaut).
"""

import importlib.util
import io
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as pillow
from PIL import ImageEnhance, ImageOps

from facegroup.errors import MalformedRequest
from facegroup.images import folders

HOPPER = "Grace Hopper"
COLLINS = "Eileen Collins"


@dataclass(frozen=True, slots=True)
class Group:
    """A gallery to enrol and photos to identify.

    Attributes:
        name: of the gallery.
        people: name → photos to enrol, each with its file name.
        probes: file name, photo, and who is in it: a name, None for a stranger, or "" if unknown.
    """

    name: str
    people: dict[str, list[tuple[str, bytes]]]
    probes: list[tuple[str, bytes, str | None]]


def packaged() -> list[Group]:
    """Return two groups: in one Grace Hopper is a member and Eileen Collins a stranger, in the other the reverse.

    Raises:
        MalformedRequest: matplotlib or scikit-image is not installed.
    """
    hopper = _copies("hopper", _file("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"))
    collins = _copies("collins", _file("skimage", "data/astronaut.png"))
    enrolled, asked = slice(0, 4), slice(4, None)
    return [
        Group(
            gallery,
            {name: known[enrolled]},
            [(file, data, name) for file, data in known[asked]]
            + [(file, data, None) for file, data in unknown[enrolled]],
        )
        for gallery, name, known, unknown in (("navy", HOPPER, hopper, collins), ("nasa", COLLINS, collins, hopper))
    ]


def own(folder: Path) -> list[Group]:
    """Return the user's group: every fourth photo of a person, and at least one, is a probe.

    Photos beside the folders are probes as well, with an unknown truth.

    Raises:
        MalformedRequest: the folder holds no folder with photos.
    """
    people: dict[str, list[tuple[str, bytes]]] = {}
    probes: list[tuple[str, bytes, str | None]] = []
    listed = folders.people(folder)
    for name, files in listed.photos.items():
        read = [(str(path.relative_to(folder)), path.read_bytes()) for path in files]
        kept = read[3::4] or (read[-1:] if len(read) > 1 else [])
        people[name] = [each for each in read if each not in kept]
        probes += [(file, data, name) for file, data in kept]
    beside = folders.loose(each.path for each in listed.skipped if each.why == "loose")
    probes += [(path.name, path.read_bytes(), "") for path in beside.files]
    skipped = [*beside.skipped, *(each for each in listed.skipped if each.why != "loose")]
    for each in skipped:
        sys.stderr.write(f"skipped {folders.shown(each.path)}: {each.detail}\n")
    if not probes:
        raise MalformedRequest(f"each person in {folder} has one photo only; add a second, to be recognised by")
    return [Group("demo", people, probes)]


def _file(package: str, path: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise MalformedRequest(f"the demo's photos come with {package}: pip install 'facegroup[demo]', or give PHOTOS")
    return Path(found.origin).parent / path


def _copies(name: str, path: Path) -> list[tuple[str, bytes]]:
    """Return copies of one photo as other cameras might have taken it: turned, lit, scaled, mirrored, compressed."""
    with pillow.open(path) as opened:
        photo = ImageOps.contain(opened.convert("RGB"), (640, 640))
    varied = {
        "original": photo,
        "mirrored": ImageOps.mirror(photo),
        "turned": photo.rotate(8, pillow.Resampling.BICUBIC, fillcolor="gray"),
        "darker": ImageEnhance.Brightness(photo).enhance(0.6),
        "small": ImageOps.contain(photo, (320, 320)),
        "grey": photo.convert("L").convert("RGB"),
        "turned_back": photo.rotate(-12, pillow.Resampling.BICUBIC, fillcolor="gray"),
        "brighter": ImageEnhance.Brightness(ImageOps.mirror(photo)).enhance(1.4),
    }
    return [(f"{name}_{how}.jpg", _jpeg(copy)) for how, copy in varied.items()]


def _jpeg(photo: pillow.Image) -> bytes:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=85)
    return file.getvalue()
