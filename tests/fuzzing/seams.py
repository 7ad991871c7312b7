"""The places where bytes come in: what is sent there, and what may come of it. Anything else that is raised is a fault."""

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from facegroup.errors import FacegroupError
from facegroup.images.decode import decode
from facegroup.images.headers import read as read_header
from facegroup.networks import description
from facegroup.settings import Limits, load
from facegroup.store import open_store
from facegroup.store.encryption import SecretKeys
from facegroup.store.redis import notes
from facegroup.store.redis.rows import (
    Damaged,
    Record,
    gallery_fields,
    read_gallery,
    read_sample,
    sample_fault,
    write_sample,
)
from facegroup.transfer.archive_reader import Archive
from facegroup.transfer.export_import import export
from facegroup.types import Gallery
from tests.heics import HEIC
from tests.photos import encode, nobody
from tests.serve.keyed import Keyed, Nothing
from tests.unit.store.samples import NETWORK, D, counter, sample, strangers

_LIMITS = Limits(image_pixels=1_000_000)


@dataclass(frozen=True, slots=True)
class Seam:
    """Class of a place where bytes come in.

    Attributes:
        seeds: what is right there, which is changed.
        send: sends bytes there. What it raises is a fault.
    """

    seeds: Sequence[bytes]
    send: Callable[[bytes], None]


@cache
def seam(name: str) -> Seam:
    """Return one of `SEAMS`."""
    return SEAMS[name]()


def _images() -> Seam:
    picture = nobody()[:24, :32]
    made = [encode(picture, kind) for kind in ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM")]

    def send(data: bytes) -> None:
        read_header(data)
        with suppress(FacegroupError):
            decode(data, _LIMITS)

    return Seam([*made, *HEIC.values()], send)


def _multipart() -> Seam:
    folder = tempfile.mkdtemp()
    access = {"mode": "open"}
    server = Keyed(load(store=f"sqlite:///{folder}/g.db", network="retail-0095", access=access), Nothing())
    key = server.key("admin")
    photo = b'content-disposition: form-data; name="photos"; filename="a.jpg"\r\ncontent-type: image/jpeg\r\n\r\n%s\r\n'
    parts = [photo % b"\xff\xd8jpeg", b'content-disposition: form-data; name="name"\r\n\r\nAda\r\n']
    body = b"--b\r\n" + b"--b\r\n".join(parts) + b"--b--\r\n"
    kinds = [b"multipart/form-data; boundary=b", b'multipart/form-data; boundary="b"; charset=x', b"application/json"]

    def send(data: bytes) -> None:
        kind, _, rest = data.partition(b"\n")
        headers = [("x-api-key", key), ("content-type", kind.decode("latin-1").strip("\r\0"))]
        answer = server.api.raw("POST", "/v1/galleries/choir/identify", headers, [rest[:40], rest[40:]])
        assert answer.status < 500 or answer.json()["code"] == "stage_unavailable", answer.body

    return Seam([kind + b"\n" + body for kind in kinds] + [b'application/json\n{"descriptors": [[0.1, 0.2]]}'], send)


def _archives() -> Seam:
    folder = Path(tempfile.mkdtemp())
    whole, path = folder / "whole", folder / "changed"
    with closing(open_store(f"sqlite:///{folder}/g.db")) as store:
        _fill(store)
        export(store, "group", whole)
    with zipfile.ZipFile(io.BytesIO(whole.read_bytes()[:-64])) as file:
        members = {each.filename: file.read(each) for each in file.infolist()}
    names = [*members, ""]

    def send(data: bytes) -> None:
        """Exchange a member, which the first byte says, with right checksums; the last is the file as a whole."""
        name = names[data[0] % len(names)] if data else ""
        made = data[1:] if not name else _packed({**members, name: data[1:]}, changed=name)
        path.write_bytes(made + hashlib.sha256(made).hexdigest().encode())
        with suppress(FacegroupError), Archive(path) as archive:
            for people in archive.chunks():
                assert all(person.id for person, _ in people)
            archive.cohort()

    seeds = [bytes([number]) + members[name] for number, name in enumerate(members)]
    return Seam([*seeds, bytes([len(members)]) + whole.read_bytes()[:-64]], send)


def _packed(members: dict[str, bytes], changed: str) -> bytes:
    """Return a ZIP file whose manifest, its last member, has the checksums of the others."""
    *others, manifest = members
    if changed != manifest:
        told = json.loads(members[manifest])
        told["members"][changed] = {
            "bytes": len(members[changed]),
            "sha256": hashlib.sha256(members[changed]).hexdigest(),
        }
        members = {**members, manifest: json.dumps(told).encode()}
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as file:
        for name in (*others, manifest):
            file.writestr(name, members[name])
    return into.getvalue()


def _networks() -> Seam:
    folder = Path(tempfile.mkdtemp())
    path = folder / "mine.yaml"
    (folder / "mine.onnx").write_bytes(b"onnx")
    file = "files:\n  - file: mine.onnx\n"
    away = f"{file}    url: https://example.org/mine.onnx\n    sha256: {'4c' * 32}\n"
    about = "name: mine\ntemplate: arcface112\ndimension: 512\nthreshold: 0.4\nlicence: ours\n"
    more = "mean: [127.5, 127.5, 127.5]\nscale: 128\nchannels: BGR\nsize: 112\nbatch: 8\n"
    points = "points: [[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]]\n"
    written = [each.encode() for each in (file + about, away + about + more, file + about + more + points)]

    def send(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(FacegroupError):
            description.read(path)

    return Seam(written, send)


def _redis_values() -> Seam:
    keys = SecretKeys([b"k" * 32])
    gallery = Gallery("group", NETWORK, D, 0.4)
    fields = {name.encode(): str(value).encode() for name, value in gallery_fields(gallery, SecretKeys()).items()}
    fields |= {b"version": b"1", b"cohort_version": b"1"}
    record = Record("Ada", {"a": 1}, ("0" * 64,), 1.0, 2.0).to_bytes()
    value = write_sample(sample(1))
    names = [*fields, b"encryption", b"calibration"]
    entry = [b"at", b"1.5", b"what", b"enrolled", b"person", b"ada", b"detail", b'{"photos": 1}', b"actor", b"cli"]
    entry += [
        b"request",
        b"",
        b"address",
        b"",
        b"result",
        b"done",
        b"number",
        b"1",
        b"previous",
        b"",
        b"hash",
        b"x" * 32,
    ]

    def send(data: bytes) -> None:
        which, rest = (data[0], data[1:]) if data else (0, b"")
        with suppress(FacegroupError, Damaged):
            match which % 4:
                case 0:
                    Record.read(rest)
                case 1:
                    read_gallery("group", SecretKeys(), {**fields, names[which // 4 % len(names)]: rest}, 1, 1)
                case 2:
                    if sample_fault(rest, D) is None:
                        read_sample("0" * 64, rest)
                    keys.cipher(keys.own).decrypt(rest, b"place")
                case _:
                    place = 2 * (which // 4 % (len(entry) // 2)) + 1
                    notes.read_entry("group", b"1-1", [*entry[:place], rest, *entry[place + 1 :]])

    seeds = [b"\0" + record, b"\2" + value, b"\2" + keys.encrypt(value, b"place")]
    seeds += [bytes([4 * number + 1]) + fields.get(name, b"") for number, name in enumerate(names)]
    return Seam([*seeds, *(bytes([4 * n + 3]) + entry[2 * n + 1] for n in range(len(entry) // 2))], send)


def _fill(store: Any) -> None:
    store.create_gallery(Gallery("group", NETWORK, D, 0.4))
    for number, who in enumerate(("ada", "bo")):
        store.create_person("group", who, {"n": number}, who)
        store.add_samples("group", who, [sample(10 * number), counter(10 * number + 1)], NETWORK)
    store.add_cohort("group", strangers(500, 501), NETWORK)


SEAMS: dict[str, Callable[[], Seam]] = {
    "images": _images,
    "multipart": _multipart,
    "archives": _archives,
    "networks": _networks,
    "redis": _redis_values,
}
"""By name: what makes each."""
