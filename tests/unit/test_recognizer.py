"""The library end to end, in one process: people enrolled, photos named, on the networks that can be had here."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow

from facegroup.enrolment.samples import Chosen
from facegroup.errors import (
    EmptyBody,
    FacegroupError,
    GalleryExists,
    LooksLike,
    MultipleFaces,
    NetworkMismatch,
    NoFace,
    NotAnImage,
    UnknownGallery,
    UnknownNetwork,
    UnknownPerson,
)
from facegroup.images.inputs import PhotoInput
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult, Query
from facegroup.recognizer import Recognizer
from facegroup.settings import Settings, load
from facegroup.types import NOT_IN_DATASET, Gallery
from tests.photos import astronaut, beside, both, encode, hopper, nobody, resized

GRACE, EILEEN = encode(hopper(), quality=95), encode(astronaut(), quality=95)
CLASSES = ["ben_afflek", "elton_john", "jerry_seinfeld", "madonna", "mindy_kaling"]
STRANGERS = ["channing_tatum", "sharon_stone1", "sharon_stone2", "sharon_stone3", "sharon_stone4"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    return load(network="dlib-resnet29", store=f"sqlite:///{tmp_path_factory.mktemp('store') / 'g.db'}")


@pytest.fixture(scope="module")
def recognizer(settings: Settings) -> Iterator[Recognizer]:
    with Recognizer(settings) as recognizer:
        yield recognizer


@pytest.fixture
def group(recognizer: Recognizer, request: pytest.FixtureRequest) -> str:
    """A gallery of its own, with Grace in it."""
    name = recognizer.new_gallery(request.node.name[:100].replace("/", " ")).name
    recognizer.store.create_person(name, "Grace", person_id="grace")
    recognizer.enrol(name, [("grace.jpg", GRACE)], "grace")
    return name


def named(answer: PhotoResult | FacegroupError) -> list[str]:
    assert isinstance(answer, PhotoResult), answer
    assert isinstance(answer.matched, PhotoMatches), answer.matched
    return [match.name for match in answer.matched.matches]


def test_photos_are_named(recognizer: Recognizer, group: str) -> None:
    photos = [GRACE, EILEEN, encode(both()), encode(nobody())]
    answers = recognizer.identify(photos, group)
    assert [named(answer) for answer in answers] == [["Grace"], [NOT_IN_DATASET], ["Grace", NOT_IN_DATASET], []]
    for photo, together in zip(photos, answers, strict=True):
        assert named(recognizer.identify([photo], group)[0]) == named(together)
    assert named(recognizer.identify([EILEEN], group, threshold=-1)[0]) == ["Grace"]


def test_a_photo_that_cannot_be_used_is_a_value(recognizer: Recognizer, group: str) -> None:
    bad, good, empty = recognizer.identify([b"no photo", GRACE, b""], group)
    assert isinstance(bad, NotAnImage)
    assert isinstance(empty, EmptyBody)
    assert named(good) == ["Grace"]


@pytest.mark.parametrize("photos", [[], [b"no photo"], [b"", b""], [encode(nobody())]])
def test_a_batch_without_a_face(recognizer: Recognizer, group: str, photos: list[bytes]) -> None:
    assert len(recognizer.identify(photos, group)) == len(photos)
    assert len(recognizer.see([Photo(photo) for photo in photos])) == len(photos)


def test_what_is_asked_is_what_comes(recognizer: Recognizer) -> None:
    asked = [Photo(GRACE, embed=False), Photo(GRACE), Photo(GRACE, crops=True), Photo(GRACE, min_face_size=550)]
    only, embedded, cropped, small = recognizer.see(asked)
    for each in (only, embedded, cropped):
        assert isinstance(each, PhotoResult)
        assert len(each.faces) == len(each.quality.size) == 1
    assert isinstance(only, PhotoResult)
    assert (only.descriptors, only.crops, only.matched) == (None, None, None)
    assert isinstance(embedded, PhotoResult)
    assert embedded.descriptors is not None
    assert np.linalg.norm(embedded.descriptors, axis=1) == pytest.approx([1])
    assert isinstance(cropped, PhotoResult)
    assert [crop[:2] for crop in cropped.crops or ()] == [b"\xff\xd8"]
    assert isinstance(small, PhotoResult)
    assert len(small.faces) == 0


def test_enrolment_tells_what_became_of_each_photo(recognizer: Recognizer, group: str) -> None:
    photos = [("again.jpg", GRACE), ("new.jpg", encode(hopper()[:, ::-1].copy())), ("none.jpg", encode(nobody()))]
    done = recognizer.enrol(group, photos, "grace")
    assert (len(done.enrolled.added), len(done.enrolled.duplicates), done.enrolled.person.samples) == (1, 1, 2)
    assert [name for name, _ in done.photos] == ["again.jpg", "new.jpg"]
    assert [(each.name, type(each.error)) for each in done.refused] == [("none.jpg", NoFace)]


def test_a_photo_of_somebody_else_is_doubted_or_refused(recognizer: Recognizer, group: str) -> None:
    recognizer.store.create_person(group, "Eileen", person_id="eileen")
    photo = [("grace.jpg", encode(hopper(), quality=70))]
    strict = recognizer.enrol(group, photo, "eileen", strict=True)
    assert [(each.name, type(each.error)) for each in strict.refused] == [("grace.jpg", LooksLike)]
    assert (strict.doubts, strict.photos, strict.enrolled.person.samples) == ((), (), 0)
    (doubt,) = recognizer.enrol(group, photo, "eileen").doubts
    assert doubt.own_similarity is None
    assert doubt.looks_like is not None
    assert doubt.looks_like.person_id == "grace"
    assert recognizer.enrol(group, [("again.jpg", GRACE)], "grace", strict=True).refused == ()


def test_one_of_several_faces_is_enrolled_when_it_is_named(recognizer: Recognizer, group: str) -> None:
    recognizer.store.create_person(group, "Eileen", person_id="eileen")
    photos = [("both.jpg", encode(both()))]
    (refused,) = recognizer.enrol(group, photos, "eileen").refused
    assert isinstance(refused.error, MultipleFaces)
    assert recognizer.enrol(group, photos, "eileen", face=1).refused == ()
    assert named(recognizer.identify([EILEEN], group)[0]) == ["Eileen"]


def test_photos_are_taken_as_callers_have_them(recognizer: Recognizer, group: str, tmp_path: Path) -> None:
    path = tmp_path / "grace.jpg"
    path.write_bytes(GRACE)
    with path.open("rb") as file, pillow.open(path) as picture:
        photos: list[PhotoInput] = [
            path,
            str(path),
            file,
            picture,
            hopper(),
            hopper()[..., 0],
            bytearray(GRACE),
            memoryview(GRACE),
        ]
        answers = recognizer.identify(photos, group)
    assert [named(answer) for answer in answers] == [["Grace"]] * len(photos)
    assert recognizer.verify((path, hopper())).same
    assert recognizer.verify_person(pillow.fromarray(hopper()), group, "grace").same
    done = recognizer.enrol(group, [path, ("array", hopper())], "grace")
    assert [name for name, _ in done.photos] == [str(path), "array"]
    assert done.enrolled.duplicates == (done.photos[0][1],)


def test_the_largest_of_several_faces(recognizer: Recognizer, group: str) -> None:
    recognizer.store.create_person(group, "Eileen", person_id="eileen")
    near = encode(beside([resized(hopper(), 100), astronaut()]))
    alike = encode(both())
    refused = recognizer.enrol(group, [("alike", alike)], "eileen", face="dominant").refused
    assert [type(each.error) for each in refused] == [MultipleFaces]
    done = recognizer.enrol(group, [("near", near)], "eileen", face="dominant")
    assert done.chosen == (Chosen("near", 1, 2),)
    assert named(recognizer.identify([EILEEN], group)[0]) == ["Eileen"]
    largest = recognizer.enrol(group, [("alike", alike)], "grace", face="largest")
    assert [each.faces for each in largest.chosen] == [2]


def test_verification(recognizer: Recognizer, group: str) -> None:
    again = encode(hopper(), quality=60)
    assert recognizer.verify((GRACE, again)).same
    assert not recognizer.verify((GRACE, EILEEN)).same
    assert recognizer.verify((GRACE, EILEEN), threshold=0.1).same
    assert recognizer.verify_person(again, group, "grace").same
    assert not recognizer.verify_person(EILEEN, group, "grace").same
    with pytest.raises(NoFace, match=r"^second photo: "):
        recognizer.verify((GRACE, encode(nobody())))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda it, group: it.enrol("nowhere", [("a", GRACE)], "grace"), UnknownGallery),
        (lambda it, group: it.enrol(group, [("a", GRACE)], "nobody"), UnknownPerson),
        (lambda it, group: it.verify_person(GRACE, "nowhere", "grace"), UnknownGallery),
        (lambda it, group: it.verify_person(GRACE, group, "nobody"), UnknownPerson),
        (lambda it, group: it.verify_person(encode(both()), group, "grace"), MultipleFaces),
    ],
)
def test_errors_are_raised(
    recognizer: Recognizer, group: str, call: Callable[[Recognizer, str], Any], error: type[FacegroupError]
) -> None:
    with pytest.raises(error):
        call(recognizer, group)


@pytest.mark.parametrize("photos", [[GRACE], [encode(nobody())], [b"no photo"], [b"no photo", GRACE], []])
def test_an_unknown_gallery_is_raised_as_the_client_raises_it(recognizer: Recognizer, photos: list[bytes]) -> None:
    with pytest.raises(UnknownGallery):
        recognizer.identify(photos, "nowhere")


def test_a_gallery_of_another_network_is_refused(recognizer: Recognizer) -> None:
    recognizer.store.create_gallery(Gallery("retail", "retail-0095", 256, 0.4))
    recognizer.store.create_person("retail", "P", person_id="p")
    with pytest.raises(GalleryExists):
        recognizer.new_gallery("retail")
    with pytest.raises(NetworkMismatch):
        recognizer.enrol("retail", [("a", GRACE)], "p")
    with pytest.raises(NetworkMismatch):
        recognizer.identify([GRACE], "retail")


def test_people_are_known_to_the_next_process(settings: Settings, recognizer: Recognizer, group: str) -> None:
    with Recognizer(settings) as another:
        assert named(another.identify([GRACE], group)[0]) == ["Grace"]
        another.store.update_person(group, "grace", name="Rear Admiral")
    assert named(recognizer.identify([GRACE], group)[0]) == ["Rear Admiral"]


def test_the_threshold_of_the_settings_is_that_of_new_galleries(settings: Settings, tmp_path: Path) -> None:
    changed = settings.model_copy(update={"threshold": 0.5, "store": f"sqlite:///{tmp_path}/g.db"})
    with Recognizer(changed) as recognizer:
        assert recognizer.new_gallery("group").threshold == 0.5
        assert recognizer.verify((GRACE, EILEEN)).threshold == 0.5


def test_an_unknown_network_is_an_error(settings: Settings) -> None:
    with pytest.raises(UnknownNetwork):
        Recognizer(settings.model_copy(update={"network": "resnet-9000"}))


@pytest.fixture(scope="module", params=["retail-0095", "dlib-resnet29"])
def celebrities(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recognizer]:
    """The course work's group: five people, ten photos each, MTCNN missing a few."""
    network = request.param
    if network == "dlib-resnet29":
        pytest.importorskip("dlib", reason="needs the extra dlib")
    store = f"sqlite:///{tmp_path_factory.mktemp('celebrities') / 'g.db'}"
    settings = load(network=network, model_dir=shared / "models", store=store)
    with Recognizer(settings) as recognizer:
        recognizer.new_gallery("celebrities")
        for name in CLASSES:
            person = recognizer.store.create_person("celebrities", name)
            paths = sorted((shared / "faces" / "five_celebrity" / "train" / name).iterdir())[:10]
            done = recognizer.enrol("celebrities", [(path.name, path.read_bytes()) for path in paths], person.id)
            assert len(done.photos) + len(done.refused) == 10
            assert {type(each.error) for each in done.refused} <= {NoFace, MultipleFaces}
            assert done.enrolled.person.samples >= 8
        yield recognizer


@pytest.mark.parametrize("name", CLASSES)
def test_five_celebrities_are_named(celebrities: Recognizer, shared: Path, name: str) -> None:
    (path,) = (shared / "faces" / "five_celebrity" / "test" / name).iterdir()
    (answer,) = celebrities.identify([path.read_bytes()], "celebrities")
    assert named(answer) == [name]


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_are_not_in_the_dataset(celebrities: Recognizer, shared: Path, name: str) -> None:
    photo = (shared / "faces" / "vggface2_tutorial" / f"{name}.jpg").read_bytes()
    (answer,) = celebrities.identify([photo], "celebrities")
    assert set(named(answer)) == {NOT_IN_DATASET}


def test_faces_that_are_known_are_named_without_looking(recognizer: Recognizer, group: str) -> None:
    data = encode(both(), quality=95)
    (looked,) = recognizer.see([Photo(data, query=Query(group))])
    assert isinstance(looked, PhotoResult)
    only = looked.faces[[0]]
    (told,) = recognizer.see([Photo(data, query=Query(group), faces=only)])
    assert isinstance(told, PhotoResult)
    assert named(told) == named(looked)[:1] == ["Grace"]
    np.testing.assert_allclose(told.faces.boxes, only.boxes, atol=1e-3)


def test_the_detector_is_recorded_in_gallery_and_sample(shared: Path, tmp_path: Path) -> None:
    settings = load(
        network="retail-0095",
        model_dir=shared / "models",
        store=f"sqlite:///{tmp_path}/gallery.db",
        detector={"model": "yunet"},
    )
    with Recognizer(settings) as recognizer:
        recognizer.new_gallery("choir")
        person = recognizer.store.create_person("choir", "Ada")
        recognizer.enrol("choir", [encode(astronaut())], person.id)
        (seen,) = recognizer.identify([encode(both())], "choir")
        assert isinstance(seen, PhotoResult)
        assert seen.detector == "yunet"
        assert isinstance(seen.matched, PhotoMatches)
        assert [each.name for each in seen.matched.matches].count("Ada") == 1
        assert recognizer.store.gallery("choir").detector == "yunet"
        assert [each.detector for each in recognizer.store.samples("choir", person.id)] == ["yunet"]
        assert recognizer.finder.about()["detector"] == "yunet"
