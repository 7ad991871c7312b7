"""What makes a photo a sample: the one rule for the library, the command line and the API."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from facegroup.enrolment.samples import Chosen, chosen, only_face, sample, samples
from facegroup.errors import (
    FacegroupError,
    InvalidDescriptor,
    MalformedRequest,
    MultipleFaces,
    NoFace,
    NotAnImage,
    UnknownPerson,
)
from facegroup.gallery.verification import of_person, pair
from facegroup.pipeline.messages import PhotoMatches, PhotoResult, Quality
from facegroup.types import FaceChoice, Faces, Floats, Match


def seen(count: int, *, spoilt: bool = False, crops: bool = True) -> PhotoResult:
    """A photo of `count` faces; the descriptor of face n is the n-th axis."""
    zeros: Floats = np.zeros(count, np.float32)
    boxes = np.repeat(np.arange(count, dtype=np.float32)[:, None], 4, axis=1)
    faces = Faces(boxes, np.zeros((count, 5, 2), np.float32), zeros)
    descriptors = np.eye(count, 8, dtype=np.float32) * np.float32(not spoilt)
    jpegs = tuple(b"crop %d" % face for face in range(count)) if crops else None
    return PhotoResult(9, 9, faces, Quality(*[zeros] * len(Quality.__slots__)), descriptors, jpegs)


@pytest.mark.parametrize(
    ("what", "face", "expected"),
    [
        (seen(1), None, 0),
        (seen(1), 0, 0),
        (seen(3), 2, 2),
        (seen(0), None, NoFace),
        (seen(0), 0, NoFace),
        (seen(2), None, MultipleFaces),
        (seen(2), 2, MalformedRequest),
        (seen(2), -1, MalformedRequest),
        (seen(1), 1, MalformedRequest),
        (NotAnImage("no"), None, NotAnImage),
        (NotAnImage("no"), 0, NotAnImage),
    ],
)
def test_which_face_is_meant(
    what: PhotoResult | FacegroupError, face: int | None, expected: int | type[FacegroupError]
) -> None:
    if isinstance(expected, int):
        assert only_face(what, face) == expected
        made = sample(b"photo", what, face)
        assert made.id == hashlib.sha256(b"photo").hexdigest()
        assert int(made.descriptor.argmax()) == expected
        assert made.crop == b"crop %d" % expected
        return
    for judge in (lambda: only_face(what, face), lambda: sample(b"photo", what, face)):
        with pytest.raises(expected):
            judge()


def sized(*faces: tuple[float, float]) -> PhotoResult:
    """A photo with faces of this side and confidence."""
    sides = np.array([side for side, _ in faces], np.float32)
    found = seen(len(faces))
    boxes = np.stack([sides * 0, sides * 0, sides, sides], axis=1)
    confidence = np.array([sure for _, sure in faces], np.float32)
    return replace(found, faces=Faces(boxes, found.faces.landmarks, confidence))


@pytest.mark.parametrize(
    ("faces", "dominant", "largest"),
    [
        ([(100, 0.99)], 0, 0),
        ([(33, 0.99), (100, 0.99)], 1, 1),  # a bystander a third of the size
        ([(100, 0.99), (90, 0.81)], 0, 0),  # a false one
        ([(40, 0.99), (100, 0.99), (80, 0.85)], 1, 1),
        ([(100, 0.99), (70, 0.99)], None, 0),
        ([(100, 0.85), (70, 0.99)], None, 0),
        ([(100, 0.85), (70, 0.86)], None, 0),
        ([(100, 0.85), (30, 0.99)], 0, 0),
        ([(100, 0.99), (100, 0.99)], None, 0),
    ],
)
def test_the_largest_face(faces: list[tuple[float, float]], dominant: int | None, largest: int) -> None:
    photo = sized(*faces)
    assert only_face(photo, "largest") == largest
    if dominant is None:
        with pytest.raises(MultipleFaces, match="face=largest"):
            only_face(photo, "dominant")
    else:
        assert only_face(photo, "dominant") == dominant


@pytest.mark.parametrize("face", ["largest", "dominant"])
def test_no_face_is_no_largest_face(face: FaceChoice) -> None:
    with pytest.raises(NoFace):
        only_face(seen(0), face)


def test_which_face_was_taken_is_told() -> None:
    photos = [("one", b"1"), ("two", b"2"), ("none", b"3")]
    found = [sized((100, 0.99)), sized((20, 0.99), (100, 0.99)), seen(0)]
    _, _, named = samples(photos, found, "dominant")
    assert chosen(photos, found, "dominant", named) == (Chosen("two", 1, 2),)
    assert chosen(photos, found, 0, named) == ()


def test_a_face_that_the_network_says_nothing_of_is_refused() -> None:
    with pytest.raises(InvalidDescriptor):
        sample(b"photo", seen(1, spoilt=True))


def test_samples_without_crops() -> None:
    assert sample(b"photo", seen(1, crops=False)).crop is None


def test_good_photos_and_refused_ones() -> None:
    photos = [("a", b"1"), ("none", b"2"), ("a", b"3"), ("again", b"1"), ("bad", b"4"), ("two", b"5")]
    good, refused, named = samples(photos, [seen(1), seen(0), seen(1), seen(1), NotAnImage("no"), seen(2)])
    ids = [hashlib.sha256(data).hexdigest() for data in (b"1", b"3")]
    assert [each.id for each in good] == ids
    assert named == (("a", ids[0]), ("a", ids[1]), ("again", ids[0]))
    assert [(each.name, type(each.error)) for each in refused] == [
        ("none", NoFace),
        ("bad", NotAnImage),
        ("two", MultipleFaces),
    ]


def test_the_same_face_index_for_all_photos() -> None:
    good, refused, _ = samples([("one", b"1"), ("two", b"2")], [seen(1), seen(2)], face=1)
    assert [each.descriptor.argmax() for each in good] == [1]
    assert [type(each.error) for each in refused] == [MalformedRequest]


def test_two_photos_are_compared() -> None:
    same = pair(("a", "b"), (seen(1), seen(1)), 0.5)
    assert (same.similarity, same.same, [len(faces) for faces in same.faces]) == (1, True, [1, 1])
    assert not pair(("a", "b"), (seen(1), seen(1)), 1.0).same  # the threshold must be exceeded


@pytest.mark.parametrize(
    ("first", "second", "error", "message"),
    [
        (seen(0), seen(1), NoFace, "a: no face"),
        (seen(1), seen(2), MultipleFaces, "b: 2 faces"),
        (seen(1), NotAnImage("what is it"), NotAnImage, "b: what is it"),
        (seen(0), seen(0), NoFace, "a: "),
    ],
)
def test_a_pair_says_which_photo_is_wrong(
    first: PhotoResult | FacegroupError, second: PhotoResult | FacegroupError, error: type[FacegroupError], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        pair(("a", "b"), (first, second), 0.5)


def test_verification_of_a_person() -> None:
    matches = tuple(Match(None, "x", similarity, 0.4, None) for similarity in (0.3, 0.6))
    known = PhotoResult(9, 9, seen(2).faces, seen(2).quality, matched=PhotoMatches(matches, 1, 0.4))
    assert [of_person(known, face).same for face in (0, 1)] == [False, True]
    assert of_person(known, 1).faces[0].boxes[0, 0] == 1
    with pytest.raises(MultipleFaces):
        of_person(known)
    unknown = PhotoResult(9, 9, seen(1).faces, seen(1).quality, matched=UnknownPerson("who"))
    with pytest.raises(UnknownPerson):
        of_person(unknown)
