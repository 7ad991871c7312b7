"""A server's HTTP API as the library's own types: what `Recognizer` does in this process, `Client` does through a server.

with Client("http://127.0.0.1:8000") as client:
(seen,) = client.identify([photo], "default")
"""

import json
import math
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from types import TracebackType
from typing import Any, Self, Unpack
from urllib.parse import quote

import httpx
import numpy as np

from facegroup import errors
from facegroup.enrolment.samples import Chosen, Doubt, Enrolment, Refused
from facegroup.errors import FacegroupError, ServiceError
from facegroup.gallery.calibrator import CalibrationResult, ClosestPair, Strangers
from facegroup.gallery.verification import Verified
from facegroup.images import inputs
from facegroup.images.inputs import PhotoInput
from facegroup.pipeline.messages import PhotoMatches, PhotoResult, Quality
from facegroup.remote.connection import KEY, Connection, error_of
from facegroup.remote.portions import Portions
from facegroup.store.audit import Entry, Event, Origin
from facegroup.store.contract import Changes, Enrolled, Erased, Merged
from facegroup.store.gallery_settings import read_calibration
from facegroup.types import Candidate, FaceChoice, Faces, Gallery, Match, Person, Policy


class Client:
    """One server.

    Args:
        url: such as ``http://127.0.0.1:8000``.
        timeout: seconds that one request may take.
        patience: seconds for which a server is asked again that answers "later" (429, 503) or was lost, after the time
            that it names; 0: never. Writes carry an idempotency key, so that none is done twice.

    Photos may be as many and as large as you like: they are sent in several requests where one would be too large. A photo
    that the server does not take has its error as its answer; the others are answered.

    Every method raises the error that the server answers, as the library would raise it, and `StageUnavailable` when
    there is no server.
    """

    def __init__(self, url: str, timeout: float = 120, patience: float = 60) -> None:
        self._connection = Connection(url, timeout, patience)
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
    ) -> list[PhotoResult | FacegroupError]:
        """Return who is in each photo; see `Recognizer.identify`."""
        params = _given(threshold=threshold, quality=quality, unique=unique)
        path = f"{_at(gallery)}/identify"
        return self._see(inputs.several(photos), path, _identified, params, lambda: self.gallery(gallery))

    def verify(
        self,
        photos: tuple[PhotoInput, PhotoInput],
        threshold: float | None = None,
        faces: tuple[FaceChoice | None, FaceChoice | None] = (None, None),
    ) -> Verified:
        """Compare two photos; see `Recognizer.verify`."""
        params = _given(threshold=threshold, face=faces[0], other_face=faces[1])
        sent = _files(inputs.pair(photos))
        return _verified(self._call("POST", "/v1/verify", again=True, params=params, files=sent))

    def verify_person(
        self,
        photo: PhotoInput,
        gallery: str,
        person_id: str,
        threshold: float | None = None,
        face: FaceChoice | None = None,
    ) -> Verified:
        """Compare a photo with a person; see `Recognizer.verify_person`."""
        params = _given(threshold=threshold, person=person_id, face=face)
        sent = _files([inputs.encoded(photo)])
        return _verified(self._call("POST", f"{_at(gallery)}/verify", again=True, params=params, files=sent))

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
        return self._add("photos", gallery, inputs.named(photos), person_id, face, strict, key)

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
        return self._add("counter-examples", gallery, inputs.named(photos), person_id, face, strict, key)

    def describe(self, photos: Iterable[PhotoInput]) -> list[PhotoResult | FacegroupError]:
        """Return the faces of each photo with their descriptors, and nobody's name."""
        return self._see(inputs.several(photos), "/v1/embed", _embedded, {}, lambda: None)

    def calibrate(
        self, gallery: str, fpir: float, strangers: Strangers | None = None, *, dry_run: bool = False
    ) -> CalibrationResult:
        """Find the threshold of a gallery for an FPIR, and set it; see `Recognizer.calibrate`."""
        asked: dict[str, Any] = {"fpir": fpir, "dry_run": dry_run}
        if strangers is not None:
            asked |= {"strangers": strangers.descriptors.tolist(), "whose": strangers.whose}
        answer = self._call("POST", f"{_at(gallery)}/calibrate", again=True, json=asked)
        found = read_calibration(json.dumps(answer["calibration"]))
        assert found is not None
        closest = tuple(ClosestPair(each["whose"], Candidate(**each["like"])) for each in answer["closest"])
        now = _gallery(answer["gallery"])
        return CalibrationResult(now, found, answer["applied"], answer["threshold_before"], answer["searches"], closest)

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
        return _gallery(self._call("PUT", _at(name)))

    def galleries(self, after: str = "", limit: int = 100) -> list[Gallery]:
        """Return a page of galleries, by name."""
        return [
            _gallery(row)
            for row in self._call("GET", "/v1/galleries", params=_given(after=after, limit=limit))["galleries"]
        ]

    def gallery(self, name: str) -> Gallery:
        """Return one gallery."""
        return _gallery(self._call("GET", _at(name)))

    def update_gallery(self, name: str, **changes: Unpack[Changes]) -> Gallery:
        """Change settings of a gallery; None leaves one as it is."""
        return _gallery(self._call("PATCH", _at(name), json=_given(**changes)))

    def delete_gallery(self, name: str) -> Erased:
        """Erase a gallery with everything in it."""
        return _erased(self._call("DELETE", _at(name)))

    def people(self, gallery: str, after: str = "", limit: int = 100, name: str | None = None) -> list[Person]:
        """Return a page of people."""
        params = _given(after=after, limit=limit, name=name)
        return [_person(row) for row in self._call("GET", f"{_at(gallery)}/people", params=params)["people"]]

    def person(self, gallery: str, person_id: str) -> Person:
        """Return one person."""
        return _person(self._call("GET", _at(gallery, person_id)))

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
        return _person(self._call("POST", f"{_at(gallery)}/people", json=new, headers={KEY: key or uuid.uuid4().hex}))

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
        return _person(self._call("PATCH", _at(gallery, person_id), json=change))

    def merge_people(self, gallery: str, into: str, source: str) -> Merged:
        """Give a person all samples of another, `source`, who is erased."""
        answer = self._call("POST", f"{_at(gallery, into)}/merge", json={"from": source})
        return Merged(_person(answer["person"]), answer["moved"], answer["duplicates"], answer["gallery_version"])

    def audit(self, gallery: str, after: str = "", limit: int = 100) -> list[Entry]:
        """Return a page of the audit log, oldest first."""
        params = {"gallery": gallery, "after": after, "limit": limit}
        return [_entry(row) for row in self._call("GET", "/v1/audit", params=params)["entries"]]

    def delete_person(self, gallery: str, person_id: str) -> Erased:
        """Erase a person with every descriptor and crop."""
        return _erased(self._call("DELETE", _at(gallery, person_id)))

    def crops(self, gallery: str, person_id: str) -> Iterator[bytes]:
        """Return a person's aligned faces as JPEG, oldest first, where the gallery keeps them."""
        path = f"{_at(gallery, person_id)}/photos"
        for row in self._call("GET", path)["photos"]:
            try:
                yield self._connection.send("GET", f"{path}/{row['id']}").content
            except errors.UnknownPhoto:
                continue

    def sighting_crop(self, sighting: str) -> bytes:
        """Return the face of a sighting as JPEG. Raises UnknownSighting, also where no picture is kept."""
        crop: bytes = self._connection.send("GET", f"/v1/sightings/{quote(sighting, safe='')}/crop").content
        return crop

    def about(self) -> dict[str, Any]:
        """Return what the server says of itself: network, engines, devices, store."""
        answer: dict[str, Any] = self._call("GET", "/readyz", again=False)
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
        read: Callable[[Mapping[str, Any]], list[PhotoResult | FacegroupError]],
        params: Mapping[str, Any],
        otherwise: Callable[[], object],
    ) -> list[PhotoResult | FacegroupError]:
        """Return what a route answers on each photo; `otherwise` asks what no photo is there to ask."""
        if not photos:
            otherwise()

        def ask(part: Sequence[bytes]) -> list[PhotoResult | FacegroupError]:
            return read(self._call("POST", path, again=True, params=params, files=_files(part)))

        seen: list[PhotoResult | FacegroupError] = []
        # A server answers the error of a single photo as its own.
        for _, answer in self._portions.send(photos, lambda photo: photo, ask, (errors.ImageError,)):
            seen += [answer] if isinstance(answer, FacegroupError) else answer
        return seen

    def _add(
        self,
        what: str,
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
            return _enrolment(self._call("POST", path, params=params, files=files, headers={KEY: named}))

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

    def _call(self, method: str, path: str, *, again: bool | None = None, **request: Any) -> Any:
        return self._connection.send(method, path, again=again, **request).json()


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


def _enrolment(answer: Mapping[str, Any]) -> Enrolment:
    # Counter-examples are `kept`, each with an `id`.
    rows = answer["enrolled"] if "enrolled" in answer else answer["kept"]
    photos = tuple((row["name"], row["photo_id"] if "photo_id" in row else row["id"]) for row in rows)
    enrolled = Enrolled(
        _person(answer["person"]),
        tuple(key for (_, key), row in zip(photos, rows, strict=True) if not row["duplicate"]),
        tuple(key for (_, key), row in zip(photos, rows, strict=True) if row["duplicate"]),
        answer["gallery_version"],
    )
    refused = tuple(Refused(row["name"], error_of(row["error"])) for row in answer["refused"])
    doubts = tuple(_doubt(row) for row in answer.get("warnings", ()))  # a server of before has none
    chosen = tuple(Chosen(row["name"], row["face"], row["faces"]) for row in answer.get("chosen", ()))
    return Enrolment(enrolled, refused, photos, doubts, chosen)


def _doubt(row: Mapping[str, Any]) -> Doubt:
    kinds = {each.code: each for each in (errors.NotUpright, errors.LooksLike, errors.UnlikeOwn, errors.LooksLikeOwn)}
    kind = kinds.get(row["code"], errors.UnlikeOwn)
    like = row.get("looks_like")
    return Doubt(row["name"], kind(row["detail"]), row["own_similarity"], Candidate(**like) if like else None)


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


def _seen(image: Mapping[str, Any], version: int, reason: str | None) -> PhotoResult | FacegroupError:
    if "error" in image:
        return error_of(image["error"])
    rows = image["faces"]
    matches = tuple(_match(row) for row in rows)
    threshold = matches[0].threshold if matches else 0.0
    matched = PhotoMatches(matches, version, threshold, reason is not None, reason)
    turned = image.get("turned", 0)  # a server of before turns nothing
    return PhotoResult(image["width"], image["height"], _faces(rows), _quality(rows), matched=matched, turned=turned)


def _identified(answer: Mapping[str, Any]) -> list[PhotoResult | FacegroupError]:
    version, reason = answer["gallery_version"] or 0, answer["degraded_reason"]
    return [_seen(each, version, reason) for each in answer["images"]]


def _embedded(answer: Mapping[str, Any]) -> list[PhotoResult | FacegroupError]:
    return [_described(each) for each in answer["images"]]


def _described(image: Mapping[str, Any]) -> PhotoResult | FacegroupError:
    if "error" in image:
        return error_of(image["error"])
    rows = image["faces"]
    descriptors = np.array([row["descriptor"] for row in rows], np.float32)
    turned = image.get("turned", 0)
    return PhotoResult(image["width"], image["height"], _faces(rows), _quality(rows), descriptors, turned=turned)


def _quality(rows: Sequence[Mapping[str, Any]]) -> Quality:
    # A server of before has fewer parts.
    parts = ([row["quality"].get(part, math.nan) for row in rows] for part in Quality.__slots__)
    return Quality(*(np.array(values, np.float32) for values in parts))


def _faces(rows: Sequence[Mapping[str, Any]]) -> Faces:
    return Faces(
        np.array([list(row["box"].values()) for row in rows], np.float32).reshape(-1, 4),
        np.array([list(row["landmarks"].values()) for row in rows], np.float32).reshape(-1, 5, 2),
        np.array([row["confidence"] for row in rows], np.float32),
    )


def _match(row: Mapping[str, Any]) -> Match:
    return Match(
        row["person"]["id"] if row["person"] else None,
        row["name"],
        row["similarity"],
        row["threshold"],
        row["margin"],
        tuple(Candidate(**each) for each in row["candidates"]),
        row.get("estimated_fpir"),  # a server of before has none
        excluded=tuple(Candidate(**each) for each in row.get("excluded", ())),
        reasons=tuple(row.get("reasons", ())),
        taken_by=row.get("taken_by"),
    )


def _verified(answer: Mapping[str, Any]) -> Verified:
    faces = tuple(_faces([row]) for row in answer["faces"])
    rate, excluded = answer.get("estimated_fmr"), answer.get("excluded", False)
    return Verified(answer["similarity"], answer["threshold"], faces, rate, excluded)


def _gallery(row: Mapping[str, Any]) -> Gallery:
    return Gallery(
        row["name"],
        row["network"],
        row["dimension"],
        row["threshold"],
        row["keep_crops"],
        row["gallery_version"],
        row["people"],
        row["created_at"],
        row["damaged"],
        row["quality"],
        row["probe_quality"],
        None if row["calibration"] is None else read_calibration(json.dumps(row["calibration"])),
        row.get("unique", True),
    )


def _person(row: Mapping[str, Any]) -> Person:
    dates = (row["created_at"], row["updated_at"], row["expires_at"])
    return Person(row["id"], row["name"], row["metadata"], row["photos"], *dates, row.get("counter_examples", 0))


def _entry(row: Mapping[str, Any]) -> Entry:
    event = Event(row["what"], row["person_id"], row["detail"])
    return Entry(row["id"], row["at"], row["gallery"], event, Origin(row["actor"], row["request_id"] or ""))


def _erased(row: Mapping[str, Any]) -> Erased:
    removed = row["removed"]
    counters = removed.get("counter_examples", 0)
    return Erased(removed["people"], removed["photos"], row["gallery_version"], removed["crops"], counters)
