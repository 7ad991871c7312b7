"""Decode a batch of photos, detect their faces and cut these out for the network.

A photo that cannot be decoded has its error as its answer and does not affect the others.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from facegroup.detection import second_look
from facegroup.detection.detector import FaceDetector
from facegroup.detection.second_look import DetectionPass
from facegroup.errors import ImageError
from facegroup.images import headers
from facegroup.images.decode import Decoded, decode
from facegroup.liveness.detector import LivenessDetector, Patches
from facegroup.networks.alignment import Aligner
from facegroup.pipeline import quality
from facegroup.pipeline.decoding_memory import DecodingMemory
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.settings import Detector, Limits
from facegroup.types import Faces, Floats

GIVEN_UP = "The caller has left."


class Finder:
    """Class that decodes, detects and aligns. Only one thread may use `find` at a time; decoding has its own threads.

    Args:
        detector: the detector.
        aligner: cuts faces out for the network.
        limits: the limits of a photo.
        wanted: the detector's settings.
        threads: threads for decoding.
        liveness: says how live faces are; None: nobody does.
        observe: called with `decode`, `detect` or `align` and the seconds that it took: of a photo, or for `detect` of a
            part of a batch. Any thread calls it.
    """

    def __init__(
        self,
        detector: FaceDetector,
        aligner: Aligner,
        limits: Limits,
        wanted: Detector,
        threads: int,
        liveness: LivenessDetector | None = None,
        observe: Callable[[str, float], None] = lambda stage, seconds: None,
    ) -> None:
        self.detector = detector
        self.observe = observe
        self._aligner = aligner
        self._limits = limits
        self._wanted = wanted
        self._threads = threads
        self._liveness = liveness
        self._min_face_size = wanted.min_face_size
        self._batch_pixels = wanted.batch_pixels
        self._decoders = ThreadPoolExecutor(threads, "decode")
        self._memory = DecodingMemory(limits.image_pixels)
        self._memory_ahead = DecodingMemory(limits.image_pixels)

    @property
    def min_confidence(self) -> float:
        """Least confidence of a face in an answer."""
        given = self._wanted.min_confidence
        return self.detector.scale.least if given is None else given

    def find(
        self,
        photos: Sequence[Photo],
        pictures: Sequence[Decoded | ImageError] | None = None,
        wanted: Callable[[int], bool] = lambda index: True,
    ) -> list[DetectedFaces | ImageError]:
        """Return the faces of each photo, or its error.

        Args:
            photos: the encoded photos.
            pictures: the results of `decode` for each; None decodes them here.
            wanted: returns whether a caller still waits for the photo with an index. Work on other photos stops, and their
                answer is an error.
        """
        answers: list[DetectedFaces | ImageError | None] = [None] * len(photos)
        decoded: dict[int, Decoded] = {}

        def read(index: int) -> Decoded | ImageError:
            return self._decode(photos[index], self._memory) if wanted(index) else ImageError(GIVEN_UP)

        for index, picture in enumerate(pictures or self._decoders.map(read, range(len(photos)))):
            if isinstance(picture, ImageError):
                answers[index] = picture
            else:
                decoded[index] = picture
        for index, photo in enumerate(photos):
            if photo.faces is not None and index in decoded:
                picture = decoded.pop(index)
                known = DetectionPass(picture.image, 0, faces=_scaled(photo.faces, picture.scale))
                (answers[index],) = self._judge([self._align(photo, picture, known)])
        sizes = {index: picture.image.shape[0] * picture.image.shape[1] for index, picture in decoded.items()}
        for together in self._parts(sizes):
            part = [index for index in together if wanted(index)]
            looks = self._detect(
                [DetectionPass(decoded[index].image, self._smallest(photos[index], decoded[index])) for index in part]
            )
            # A camera is mounted upright, and its next frame comes soon.
            again = [at for at, index in enumerate(part) if not photos[index].background and wanted(index)]
            upright = [photos[part[at]].upright for at in again]
            best = second_look.best_passes(
                [looks[at] for at in again], upright, self._detect_again, self._turns, self.detector.scale
            )
            for at, look in zip(again, best, strict=True):
                looks[at] = look
            pictures_here = [decoded[index] for index in part]
            aligned = self._decoders.map(self._align, [photos[index] for index in part], pictures_here, looks)
            for index, answer in zip(part, self._judge(list(aligned)), strict=True):
                answers[index] = answer
        return [ImageError(GIVEN_UP) if answer is None else answer for answer in answers]

    def decode(self, photo: Photo) -> Decoded | ImageError:
        """Return the decoded photo, or its error. Any thread may call this.

        Its limit of memory is separate from that of `find`, so neither waits for the other.
        """
        return self._decode(photo, self._memory_ahead)

    def _decode(self, photo: Photo, memory: DecodingMemory) -> Decoded | ImageError:
        try:
            header = headers.read(photo.data)
            with (
                memory.hold(header.decoded_pixels(self._limits.side_pixels) if header else 0),
                self._timed("decode"),
            ):
                return decode(photo.data, self._limits)
        except ImageError as error:
            return error

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.observe(stage, time.perf_counter() - begun)

    def beside(self) -> "Finder | None":
        """Return a finder on the same networks that another thread may use at the same time, and that is closed later.

        Returns None on a device that runs one batch at a time.
        """
        beside = self.detector.beside()
        if beside is None:
            return None
        return Finder(beside, self._aligner, self._limits, self._wanted, self._threads, self._liveness, self.observe)

    def warm(self) -> None:
        """Warm up the networks, so that the first request is as fast as the next."""
        self.detector.warm()
        if self._liveness is not None:
            self._liveness.warm()

    def about(self) -> dict[str, str]:
        """Return the names of detector, engine and device."""
        detector = self.detector
        return {"detector": detector.name, "engine": detector.engine, "device": detector.device}

    @property
    def liveness(self) -> dict[str, str | float] | None:
        """Name, threshold and precision of the liveness detector, for /readyz; None: there is none."""
        return None if self._liveness is None else self._liveness.about()

    def close(self) -> None:
        """Stop the threads."""
        self._decoders.shutdown()
        self.detector.close()

    def _parts(self, sizes: Mapping[int, int]) -> Iterator[list[int]]:
        """Split pictures into parts that are small enough to be detected at once. `sizes` has the pixels of each picture."""
        part: list[int] = []
        pixels = 0
        for index, size in sizes.items():
            if part and pixels + size > self._batch_pixels:
                yield part
                part, pixels = [], 0
            part.append(index)
            pixels += size
        if part:
            yield part

    def _detect_again(self, looks: Sequence[DetectionPass]) -> list[DetectionPass]:
        sizes = {index: look.image.shape[0] * look.image.shape[1] for index, look in enumerate(looks)}
        return [each for part in self._parts(sizes) for each in self._detect([looks[index] for index in part])]

    def _detect(self, looks: Sequence[DetectionPass]) -> list[DetectionPass]:
        """Return the passes with their faces, without those below the least confidence."""
        if not looks:
            return []
        with self._timed("detect"):
            found = self.detector.detect([look.image for look in looks], [look.smallest for look in looks])
        return [
            replace(look, faces=faces[np.flatnonzero(faces.confidence >= self.min_confidence)])
            for look, faces in zip(looks, found, strict=True)
        ]

    def _turns(self, looks: Sequence[DetectionPass]) -> list[Floats]:
        return self.detector.turns([look.image for look in looks], [look.faces for look in looks])

    def _smallest(self, photo: Photo, picture: Decoded) -> int:
        wanted = photo.min_face_size or self._min_face_size
        return max(12, round(wanted * picture.scale))

    def _align(self, photo: Photo, picture: Decoded, look: DetectionPass) -> tuple[DetectedFaces, Patches | None]:
        faces = look.faces
        if len(faces) > self._limits.faces:
            faces = faces[np.sort(np.argsort(-faces.confidence, kind="stable")[: self._limits.faces])]
        look = second_look.left_to_right(replace(look, faces=faces))
        with self._timed("align"):
            crops = self._aligner.align(look.image, look.faces)
        upright = _enlarged(second_look.in_turned_picture(look), picture.scale)
        in_photo = _enlarged(second_look.in_picture(look), picture.scale)
        size = (picture.width, picture.height)
        graded = quality.measure(upright, crops, self._aligner.kind, *(size[::-1] if look.turns % 2 else size))
        found = DetectedFaces(
            *size,
            in_photo,
            graded,
            crops,
            look.clockwise,
            look.upright,
            detector=self.detector.name,
            scale=self.detector.scale,
        )
        wanted = photo.liveness and (photo.needs_descriptors or not photo.background)
        return found, self._patches(look) if wanted else None

    def _patches(self, look: DetectionPass) -> Patches | None:
        """Cut out faces with what surrounds them in the photo, without a border that was added to it."""
        if self._liveness is None:
            return None
        inside = slice(look.edge, -look.edge or None)
        return self._liveness.cut(look.image[inside, inside], second_look.in_turned_picture(look).boxes)

    def _judge(self, found: Sequence[tuple[DetectedFaces, Patches | None]]) -> list[DetectedFaces]:
        """Return the faces of each photo with their liveness, where they were cut out for it."""
        patches = [each for _, each in found if each is not None]
        if self._liveness is None or not patches:
            return [faces for faces, _ in found]
        judged = iter(self._liveness.judge(patches))
        return [faces if each is None else replace(faces, liveness=next(judged)) for faces, each in found]


def _scaled(faces: Faces, scale: float) -> Faces:
    return Faces(faces.boxes * np.float32(scale), faces.landmarks * np.float32(scale), faces.confidence)


def _enlarged(faces: Faces, scale: float) -> Faces:
    return Faces(faces.boxes / np.float32(scale), faces.landmarks / np.float32(scale), faces.confidence)
