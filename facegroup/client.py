"""A server's HTTP API as the library's own types: what `Recognizer` does in this process, `Client` does through a server.

with Client("http://127.0.0.1:8000") as client:
(seen,) = client.identify([photo], "default")
"""

import json
import math
import os
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from facegroup import errors
from facegroup.enrolment.samples import Enrolment, Refused
from facegroup.errors import FacegroupError, ServiceError
from facegroup.gallery.calibrator import CalibrationResult, Strangers
from facegroup.gallery.verification import Verified
from facegroup.images import inputs
from facegroup.images.inputs import PhotoInput
from facegroup.person_archive import saved
from facegroup.pipeline.messages import PhotoResult
from facegroup.remote.connection import KEY, Connection
from facegroup.remote.portions import Portions
from facegroup.store.audit import Entry
from facegroup.store.audit_chain import Chain
from facegroup.store.contract import Changes, Enrolled, Erased, Merged
from facegroup.types import FaceChoice, Gallery, Person, Policy
from facegroup.wire import galleries as wired_galleries
from facegroup.wire import people as wired_people
from facegroup.wire.cohort import Cohort, CohortAdded, CohortErased
from facegroup.wire.galleries import RefusedPhoto
from facegroup.wire.model import Answer
from facegroup.wire.recognition import Detection, Identification, Verification

Kind = TypeVar("Kind", bound=Answer)


class Client:
    """One server.

    Args:
        url: such as ``http://127.0.0.1:8000``.
        timeout: seconds that one request may take.
        patience: seconds for which a server is asked again that answers "later" (429, 503) or was lost, after the time
            that it names; 0: never. Writes carry an idempotency key, so that none is done twice.
        key: API key, where the server asks for one (docs/access.md).
        ca: PEM file of certificate authorities that are trusted beside the usual ones, for a server whose certificate is
            signed by your own (docs/tls.md).

    Photos may be as many and as large as you like: they are sent in several requests where one would be too large. A photo
    that the server does not take has its error as its answer; the others are answered.

    Every method raises the error that the server answers, as the library would raise it, and `StageUnavailable` when
    there is no server.
    """

    def __init__(
        self,
        url: str,
        timeout: float = 120,
        patience: float = 60,
        *,
        key: str | None = None,
        ca: str | os.PathLike[str] | None = None,
    ) -> None:
        self._connection = Connection(url, timeout, patience, key, ca)
        self._portions = Portions()

    @property
    def store(self) -> Self:
        """Galleries and people, as `Recognizer.store` has them."""
        return self

    # Recognition

    def identify(
        self,
        photos: Iterable[PhotoInput],
        gallery: str,
        threshold: float | None = None,
        quality: Policy | None = None,
        unique: bool | None = None,
        liveness: bool | None = None,
    ) -> list[PhotoResult | FacegroupError]:
        """Return who is in each photo; see `Recognizer.identify`."""
        params = _given(threshold=threshold, quality=quality, unique=unique, liveness=liveness)
        path = f"{_at(gallery)}/identify"
        return self._see(inputs.several(photos), path, Identification, params, lambda: self.gallery(gallery))

    def verify(
        self,
        photos: tuple[PhotoInput, PhotoInput],
        threshold: float | None = None,
        faces: tuple[FaceChoice | None, FaceChoice | None] = (None, None),
        liveness: bool | None = None,
    ) -> Verified:
        """Compare two photos; see `Recognizer.verify`."""
        params = _given(threshold=threshold, face=faces[0], other_face=faces[1], liveness=liveness)
        sent = _files(inputs.pair(photos))
        return self._read(Verification, "POST", "/v1/verify", again=True, params=params, files=sent).struct()

    def verify_person(
        self,
        photo: PhotoInput,
        gallery: str,
        person_id: str,
        threshold: float | None = None,
        face: FaceChoice | None = None,
        liveness: bool | None = None,
    ) -> Verified:
        """Compare a photo with a person; see `Recognizer.verify_person`."""
        params = _given(threshold=threshold, person=person_id, face=face, liveness=liveness)
        sent = _files([inputs.encoded(photo)])
        return self._read(
            Verification, "POST", f"{_at(gallery)}/verify", again=True, params=params, files=sent
        ).struct()

    def enrol(
        self,
        gallery: str,
        photos: Iterable[PhotoInput | tuple[str, PhotoInput]],
        person_id: str,
        face: FaceChoice | None = None,
        strict: bool = False,
        *,
        key: str | None = None,
    ) -> Enrolment:
        """Enrol named photos of one person; see `Recognizer.enrol`. With the same `key` again, nothing is done again."""
        return self._add("photos", wired_people.Enrolment, gallery, inputs.named(photos), person_id, face, strict, key)

    def correct(
        self,
        gallery: str,
        photos: Iterable[PhotoInput | tuple[str, PhotoInput]],
        person_id: str,
        face: FaceChoice | None = None,
        strict: bool = False,
        *,
        key: str | None = None,
    ) -> Enrolment:
        """Make faces counter-examples of a person; see `Recognizer.correct`. The same `key` again does nothing again."""
        return self._add(
            "counter-examples", wired_people.Correction, gallery, inputs.named(photos), person_id, face, strict, key
        )

    def add_to_cohort(
        self, gallery: str, photos: Iterable[PhotoInput | tuple[str, PhotoInput]], *, key: str | None = None
    ) -> CohortAdded:
        """Add photos of strangers to the cohort of a gallery; see `Recognizer.add_to_cohort`."""
        named, whole = inputs.named(photos), key or uuid.uuid4().hex

        def ask(part: Sequence[tuple[str, bytes]]) -> CohortAdded:
            files = [("photos", photo) for photo in part]
            own = whole if len(part) == len(named) else _key_of(whole, part)
            return self._read(CohortAdded, "POST", f"{_at(gallery)}/cohort", files=files, headers={KEY: own})

        done: list[CohortAdded] = []
        refused = []
        # A server answers the refusal of a single photo as its own.
        own_errors = (errors.ImageError, errors.InvalidDescriptor)
        for part, answer in self._portions.send(named, lambda photo: photo[1], ask, own_errors):
            if isinstance(answer, FacegroupError):
                refused.append(RefusedPhoto.from_struct(Refused(part[0][0], answer)))
            else:
                done.append(answer)
                refused += answer.refused
        if not done:
            now = self.cohort(gallery)
            size = now.given + now.unknown
            return CohortAdded(
                gallery=gallery, gallery_version=now.gallery_version, added=0, known=0, size=size, like_members=0,
                refused=refused,
            )  # fmt: skip
        counts = {name: sum(getattr(each, name) for each in done) for name in ("added", "known", "like_members")}
        return done[-1].model_copy(update={**counts, "refused": refused})

    def cohort(self, gallery: str) -> Cohort:
        """Return the sizes of the cohort of a gallery. Raises `UnknownGallery`."""
        return self._read(Cohort, "GET", f"{_at(gallery)}/cohort")

    def take_unknowns(self, gallery: str) -> Cohort:
        """Make the strangers whom the gallery's cameras know those of its cohort, where the server allows it."""
        return self._read(Cohort, "POST", f"{_at(gallery)}/cohort/unknowns", again=True)

    def erase_cohort(self, gallery: str) -> CohortErased:
        """Erase every stranger of the cohort of a gallery. Raises `UnknownGallery`."""
        return self._read(CohortErased, "DELETE", f"{_at(gallery)}/cohort")

    def describe(self, photos: Iterable[PhotoInput]) -> list[PhotoResult | FacegroupError]:
        """Return the faces of each photo with their descriptors, and nobody's name."""
        return self._see(inputs.several(photos), "/v1/embed", Detection, {}, lambda: None)

    def calibrate(
        self, gallery: str, fpir: float, strangers: Strangers | None = None, *, dry_run: bool = False
    ) -> CalibrationResult:
        """Find the threshold of a gallery for an FPIR, and set it; see `Recognizer.calibrate`."""
        asked: dict[str, Any] = {"fpir": fpir, "dry_run": dry_run}
        if strangers is not None:
            asked |= {"strangers": strangers.descriptors.tolist(), "whose": strangers.whose}
        return self._read(
            wired_galleries.Calibrated, "POST", f"{_at(gallery)}/calibrate", again=True, json=asked
        ).struct()

    # Cameras

    def call(self, method: str, path: str, **request: Any) -> Any:
        """Return what a route answers, as JSON has it: of cameras, sightings and webhooks (docs/api.md).

        Args:
            method: such as ``POST``.
            path: such as ``/v1/cameras``.
            request: ``json`` and ``params`` of httpx.
        """
        answer = self._connection.send(method, path, **request)
        return answer.json() if answer.content else None

    def follow(self, after: int | None = None, **wanted: str | None) -> Generator[dict[str, Any], None, None]:
        """Give events as they happen, for ever: a connection that is lost is made again where it was.

        Args:
            after: number of the last event that is known; None: from now on.
            wanted: ``camera`` and ``gallery``, where not all are wanted.

        Yields:
            Events as docs/sightings.md has them; ``{"type": "gap", "from": …, "to": …}`` where some were erased before.
        """
        while True:
            params = _given(after=after, **wanted)
            try:
                stream = self._connection.http.stream("GET", "/v1/sightings/stream", params=params, timeout=60)
                with stream as answer:
                    if answer.is_error:
                        answer.read()
                        raise self._connection.error(answer)
                    for number, event in _events(answer.iter_lines()):
                        after = number
                        if event is not None:
                            yield event
            except (httpx.TransportError, ServiceError) as error:
                if after is None:
                    raise (error if isinstance(error, ServiceError) else self._connection.no_answer(error)) from error
                time.sleep(1)

    # Galleries and people: the part of `Store` that HTTP offers

    def new_gallery(self, name: str) -> Gallery:
        """Return the gallery of this name, created where there is none."""
        return self._read(wired_galleries.Gallery, "PUT", _at(name)).struct()

    def galleries(self, after: str = "", limit: int = 100) -> list[Gallery]:
        """Return a page of galleries, by name."""
        params = _given(after=after, limit=limit)
        page = self._read(wired_galleries.GalleryPage, "GET", "/v1/galleries", params=params)
        return [each.struct() for each in page.galleries]

    def gallery(self, name: str) -> Gallery:
        """Return one gallery."""
        return self._read(wired_galleries.Gallery, "GET", _at(name)).struct()

    def update_gallery(self, name: str, **changes: Unpack[Changes]) -> Gallery:
        """Change settings of a gallery; None leaves one as it is."""
        return self._read(wired_galleries.Gallery, "PATCH", _at(name), json=_given(**changes)).struct()

    def change_gallery(self, gallery: str, **changes: Unpack[Changes]) -> Gallery:
        """Change settings of a gallery; see `Recognizer.change_gallery`. It is `update_gallery`: the server decides."""
        return self.update_gallery(gallery, **changes)

    def delete_gallery(self, name: str) -> Erased:
        """Erase a gallery with everything in it."""
        return self._read(wired_people.Erased, "DELETE", _at(name)).struct()

    def people(self, gallery: str, after: str = "", limit: int = 100, name: str | None = None) -> list[Person]:
        """Return a page of people."""
        params = _given(after=after, limit=limit, name=name)
        page = self._read(wired_people.PeoplePage, "GET", f"{_at(gallery)}/people", params=params)
        return [each.struct() for each in page.people]

    def person(self, gallery: str, person_id: str) -> Person:
        """Return one person."""
        return self._read(wired_people.Person, "GET", _at(gallery, person_id)).struct()

    def create_person(
        self,
        gallery: str,
        name: str,
        metadata: dict[str, Any] | None = None,
        person_id: str | None = None,
        *,
        expires_at: float | None = None,
        key: str | None = None,
    ) -> Person:
        """Create a person without samples. With the same `key` again, the same person is returned."""
        new = {"name": name, "metadata": metadata or {}, "id": person_id} | _given(expires_at=expires_at)
        headers = {KEY: key or uuid.uuid4().hex}
        return self._read(wired_people.Person, "POST", f"{_at(gallery)}/people", json=new, headers=headers).struct()

    def update_person(
        self,
        gallery: str,
        person_id: str,
        *,
        name: str | None = None,
        metadata: dict[str, Any] | None = None,
        expires_at: float | None = None,
    ) -> Person:
        """Rename a person, replace the metadata or set the expiry (infinite: never)."""
        change = _given(name=name, metadata=metadata, expires_at=expires_at)
        if expires_at == math.inf:
            change["expires_at"] = None
        return self._read(wired_people.Person, "PATCH", _at(gallery, person_id), json=change).struct()

    def merge_people(self, gallery: str, into: str, source: str) -> Merged:
        """Give a person all samples of another, `source`, who is erased."""
        return self._read(wired_people.Merged, "POST", f"{_at(gallery, into)}/merge", json={"from": source}).struct()

    def audit(self, gallery: str, after: str = "", limit: int = 100) -> list[Entry]:
        """Return a page of the audit log, oldest first."""
        params = {"gallery": gallery, "after": after, "limit": limit}
        return [
            each.struct() for each in self._read(wired_galleries.AuditPage, "GET", "/v1/audit", params=params).entries
        ]

    def audit_chain(self, gallery: str) -> Chain:
        """Return where the chain of an audit log begins and ends."""
        params = {"gallery": gallery, "limit": 1}
        found = self._read(wired_galleries.AuditPage, "GET", "/v1/audit", params=params).chain
        if found is None:
            raise errors.StageUnavailable("the server is older than this client and has no chain of the audit log")
        return found.struct()

    def export_person(self, gallery: str, person_id: str, file: Path) -> None:
        """Write everything that is held on a person into a new ZIP file. What breaks off leaves no file.

        Raises:
            MalformedRequest: the file is there already, or cannot be written.
            StageUnavailable: the answer broke off, as it does where the person is erased meanwhile.
        """
        with saved(file) as into:
            try:
                with self._connection.http.stream("GET", f"{_at(gallery, person_id)}/export") as answer:
                    if answer.is_error:
                        answer.read()
                        raise self._connection.error(answer)
                    for part in answer.iter_bytes():
                        into.write(part)
            except httpx.TransportError as error:
                raise self._connection.no_answer(error) from error

    def delete_person(self, gallery: str, person_id: str) -> Erased:
        """Erase a person with every descriptor and crop."""
        return self._read(wired_people.Erased, "DELETE", _at(gallery, person_id)).struct()

    def crops(self, gallery: str, person_id: str) -> Iterator[bytes]:
        """Return a person's aligned faces as JPEG, oldest first, where the gallery keeps them."""
        path = f"{_at(gallery, person_id)}/photos"
        for photo in self._read(wired_people.Photos, "GET", path).photos:
            try:
                yield self._connection.send("GET", f"{path}/{photo.id}").content
            except errors.UnknownPhoto:
                continue

    def sighting_crop(self, sighting: str) -> bytes:
        """Return the face of a sighting as JPEG. Raises UnknownSighting, also where no picture is kept."""
        crop: bytes = self._connection.send("GET", f"/v1/sightings/{quote(sighting, safe='')}/crop").content
        return crop

    def about(self) -> dict[str, Any]:
        """Return what the server says of itself: network, engines, devices, store."""
        answer: dict[str, Any] = self._connection.send("GET", "/readyz", again=False).json()
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _see(
        self,
        photos: Sequence[bytes],
        path: str,
        kind: type[Detection | Identification],
        params: Mapping[str, Any],
        otherwise: Callable[[], object],
    ) -> list[PhotoResult | FacegroupError]:
        """Return what a route answers on each photo; `otherwise` asks what no photo is there to ask."""
        if not photos:
            otherwise()

        def ask(part: Sequence[bytes]) -> list[PhotoResult | FacegroupError]:
            return self._read(kind, "POST", path, again=True, params=params, files=_files(part)).structs()

        seen: list[PhotoResult | FacegroupError] = []
        # A server answers the error of a single photo as its own.
        for _, answer in self._portions.send(photos, lambda photo: photo, ask, (errors.ImageError,)):
            seen += [answer] if isinstance(answer, FacegroupError) else answer
        return seen

    def _add(
        self,
        what: str,
        kind: type[wired_people.Enrolment | wired_people.Correction],
        gallery: str,
        photos: Sequence[tuple[str, bytes]],
        person_id: str,
        face: FaceChoice | None,
        strict: bool,
        key: str | None,
    ) -> Enrolment:
        whole = key or uuid.uuid4().hex

        def ask(part: Sequence[tuple[str, bytes]]) -> Enrolment:
            files = [("photos", photo) for photo in part]
            named = whole if len(part) == len(photos) else _key_of(whole, part)
            params = _given(face=face, strict=strict or None)
            path = f"{_at(gallery, person_id)}/{what}"
            return self._read(kind, "POST", path, params=params, files=files, headers={KEY: named}).struct()

        # A server answers the refusal of a single photo as its own.
        own: tuple[type[FacegroupError], ...] = (errors.ImageError, errors.InvalidDescriptor, errors.Contradiction)
        own += (errors.MalformedRequest,) if isinstance(face, int) else ()  # there is no face of that number
        done: list[Enrolment] = []
        refused: list[Refused] = []
        for part, answer in self._portions.send(photos, lambda photo: photo[1], ask, own):
            if isinstance(answer, FacegroupError):
                refused.append(Refused(part[0][0], answer))
            else:
                done.append(answer)
                refused += answer.refused
        if not done:
            person, version = self.person(gallery, person_id), self.gallery(gallery).version
            return Enrolment(Enrolled(person, (), (), version), tuple(refused), ())
        last = done[-1].enrolled
        return Enrolment(
            Enrolled(
                last.person,
                tuple(key for each in done for key in each.enrolled.added),
                tuple(key for each in done for key in each.enrolled.duplicates),
                last.version,
            ),
            tuple(refused),
            tuple(photo for each in done for photo in each.photos),
            tuple(doubt for each in done for doubt in each.doubts),
            tuple(one for each in done for one in each.chosen),
        )

    def _read(self, kind: type[Kind], method: str, path: str, *, again: bool | None = None, **request: Any) -> Kind:
        """Return a server's answer. Raises the error that it is; `FacegroupError` if it is not such an answer."""
        content = self._connection.send(method, path, again=again, **request).content
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            (first, *_) = error.errors(include_url=False, include_input=False)
            where = ".".join(map(str, first["loc"])) or "the body"
            raise FacegroupError(
                f"the server's answer is not understood ({where}: {first['msg']}). Check the address, and use the same "
                "version of facegroup on both sides."
            ) from error


def _events(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Give the number of each part of a stream of server-sent events, and the event where it has one."""
    parts: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            parts[name] = value
            continue
        if "id" in parts:
            data = json.loads(parts["data"]) if "data" in parts else None
            yield int(parts["id"]), data
        parts = {}


def _at(gallery: str, person_id: str | None = None) -> str:
    path = f"/v1/galleries/{quote(gallery, safe='')}"
    return path if person_id is None else f"{path}/people/{quote(person_id, safe='')}"


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _key_of(whole: str, photos: Sequence[tuple[str, bytes]]) -> str:
    """Return the key of a part of a request: the same photos under the same key are the same part."""
    seen = sha256(whole.encode())
    for _, data in photos:
        seen.update(sha256(data).digest())
    return seen.hexdigest()


def _files(photos: Sequence[bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("photos", (str(index), data)) for index, data in enumerate(photos)]
