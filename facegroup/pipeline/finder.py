"""Photos → faces cut out for the network: decode, detect, align, for a batch at once.

A photo that cannot be decoded is a value in the answer; the others of its batch are found.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from facegroup.detection import second_look
from facegroup.detection.mtcnn import Mtcnn
from facegroup.detection.second_look import Look
from facegroup.errors import ImageError
from facegroup.images import headers
from facegroup.images.decode import Decoded, decode
from facegroup.networks.alignment import Aligner
from facegroup.pipeline import quality
from facegroup.pipeline.decoding_memory import DecodingMemory
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.settings import Detector, Limits
from facegroup.types import Faces, Floats

GIVEN_UP = "nobody waits for it any more"


class Finder:
    """Decodes, detects and aligns. `find` is used from one thread at a time; decoding uses its own.

    Args:
        mtcnn: the detector.
        aligner: cuts faces out for the network.
        limits: what a photo may cost.
        wanted: the detector's settings.
        threads: that decode.
    """

    def __init__(self, mtcnn: Mtcnn, aligner: Aligner, limits: Limits, wanted: Detector, threads: int) -> None:
        self.mtcnn = mtcnn
        self._aligner = aligner
        self._limits = limits
        self._wanted = wanted
        self._threads = threads
        self._min_face_size = wanted.min_face_size
        self._min_confidence = wanted.min_confidence
        self._batch_pixels = wanted.batch_pixels
        self._decoders = ThreadPoolExecutor(threads, "decode")
        self._room = DecodingMemory(limits.image_pixels)
        self._room_ahead = DecodingMemory(limits.image_pixels)

    def find(
        self,
        photos: Sequence[Photo],
        pictures: Sequence[Decoded | ImageError] | None = None,
        wanted: Callable[[int], bool] = lambda index: True,
    ) -> list[DetectedFaces | ImageError]:
        """Return the faces of each photo, or why it cannot be used.

        Args:
            photos: encoded.
            pictures: what `decode` gave for each, where that was done before.
            wanted: whether somebody still waits for the photo of an index. Nothing more is done on others, and an error is
                their answer.
        """
        answers: list[DetectedFaces | ImageError | None] = [None] * len(photos)
        decoded: dict[int, Decoded] = {}

        def read(index: int) -> Decoded | ImageError:
            return self._decode(photos[index], self._room) if wanted(index) else ImageError(GIVEN_UP)

        for index, picture in enumerate(pictures or self._decoders.map(read, range(len(photos)))):
            if isinstance(picture, ImageError):
                answers[index] = picture
            else:
                decoded[index] = picture
        for index, photo in enumerate(photos):
            if photo.faces is not None and index in decoded:
                picture = decoded.pop(index)
                known = Look(picture.image, 0, faces=_scaled(photo.faces, picture.scale))
                answers[index] = self._align(picture, known)
        sizes = {index: picture.image.shape[0] * picture.image.shape[1] for index, picture in decoded.items()}
        for together in self._parts(sizes):
            part = [index for index in together if wanted(index)]
            looks = self._detect(
                [Look(decoded[index].image, self._smallest(photos[index], decoded[index])) for index in part]
            )
            # A camera sees the next frame soon, and hangs the right way up.
            again = [at for at, index in enumerate(part) if not photos[index].background and wanted(index)]
            upright = [photos[part[at]].upright for at in again]
            better = second_look.better([looks[at] for at in again], upright, self._detect_again, self._turns)
            for at, look in zip(again, better, strict=True):
                looks[at] = look
            aligned = self._decoders.map(self._align, [decoded[index] for index in part], looks)
            for index, answer in zip(part, aligned, strict=True):
                answers[index] = answer
        return [ImageError(GIVEN_UP) if answer is None else answer for answer in answers]

    def decode(self, photo: Photo) -> Decoded | ImageError:
        """Return the picture of one photo, or why it cannot be used. Any thread may ask.

        It waits for others that are decoded like this, and never for those of `find`, nor do those for it.
        """
        return self._decode(photo, self._room_ahead)

    def _decode(self, photo: Photo, room: DecodingMemory) -> Decoded | ImageError:
        try:
            header = headers.read(photo.data)
            with room.of(header.decoded_pixels(self._limits.side_pixels) if header else 0):
                return decode(photo.data, self._limits)
        except ImageError as error:
            return error

    def beside(self) -> "Finder | None":
        """Return one on the same networks for another thread to use at the same time; None: the device does one thing.

        It is closed after this one.
        """
        if self.mtcnn.nets.device != "cpu":
            return None
        return Finder(Mtcnn(self.mtcnn.nets), self._aligner, self._limits, self._wanted, self._threads)

    def warm(self) -> None:
        """Make the first request as fast as the next."""
        self.mtcnn.nets.warm()

    def about(self) -> dict[str, str]:
        """Say what runs here."""
        nets = self.mtcnn.nets
        return {"detector": "mtcnn", "engine": nets.name, "device": nets.device}

    def close(self) -> None:
        """Let the decoding threads go."""
        self._decoders.shutdown()
        self.mtcnn.close()

    def _parts(self, sizes: Mapping[int, int]) -> Iterator[list[int]]:
        """Cut a batch where it has too many pixels to be detected at once. `sizes`: pixels of each picture."""
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

    def _detect_again(self, looks: Sequence[Look]) -> list[Look]:
        sizes = {index: look.image.shape[0] * look.image.shape[1] for index, look in enumerate(looks)}
        return [each for part in self._parts(sizes) for each in self._detect([looks[index] for index in part])]

    def _detect(self, looks: Sequence[Look]) -> list[Look]:
        """Fill in the faces that the detector is sure enough of."""
        found = self.mtcnn.detect([look.image for look in looks], [look.smallest for look in looks]) if looks else []
        return [
            replace(look, faces=faces[np.flatnonzero(faces.confidence >= self._min_confidence)])
            for look, faces in zip(looks, found, strict=True)
        ]

    def _turns(self, looks: Sequence[Look]) -> list[Floats]:
        return self.mtcnn.turns([look.image for look in looks], [look.faces for look in looks])

    def _smallest(self, photo: Photo, picture: Decoded) -> int:
        wanted = photo.min_face_size or self._min_face_size
        return max(12, round(wanted * picture.scale))

    def _align(self, picture: Decoded, look: Look) -> DetectedFaces:
        faces = look.faces
        if len(faces) > self._limits.faces:
            faces = faces[np.sort(np.argsort(-faces.confidence, kind="stable")[: self._limits.faces])]
        look = second_look.left_to_right(replace(look, faces=faces))
        crops = self._aligner.align(look.image, look.faces)
        upright = _enlarged(second_look.in_turned_picture(look), picture.scale)
        in_photo = _enlarged(second_look.in_picture(look), picture.scale)
        size = (picture.width, picture.height)
        graded = quality.measure(upright, crops, self._aligner.kind, *(size[::-1] if look.turns % 2 else size))
        return DetectedFaces(*size, in_photo, graded, crops, look.clockwise, look.upright)


def _scaled(faces: Faces, scale: float) -> Faces:
    return Faces(faces.boxes * np.float32(scale), faces.landmarks * np.float32(scale), faces.confidence)


def _enlarged(faces: Faces, scale: float) -> Faces:
    return Faces(faces.boxes / np.float32(scale), faces.landmarks / np.float32(scale), faces.confidence)
