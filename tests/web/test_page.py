"""The page in a real browser, against the real routes: what somebody who looks after a group does with it."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import httpx
import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from facegroup.gallery.index.people import People
from facegroup.gallery.normalization import begin
from facegroup.gallery.snapshot import Snapshot
from facegroup.networks.embedder import unit
from facegroup.networks.registry import spec
from facegroup.types import NOT_IN_DATASET, Descriptors
from tests.local_server import LocalServer
from tests.photos import beside, encode, hopper
from tests.web.conftest import asked
from tests.web.page import Page

GRACE = "Grace Hopper"
DECIDE = (
    "const [faces, at, unique, done] = arguments;"
    "import('/decide.js').then(({decide}) => done(decide(faces, at, unique)))"
)
DRAW = (
    "const [faces, done] = arguments;"
    "Promise.all([import('/decide.js'), import('/photo.js')]).then(([{decide}, {photoFigure, drawFaces}]) => {"
    "const image = {width: 100, height: 50, faces};"
    "const figure = photoFigure({name: 'a.jpg'}, '', image);"
    "drawFaces(figure, image, decide(faces, 0.5), () => {});"
    "done([...figure.querySelectorAll('.box')].map((box) => box.getAttribute('aria-label'))"
    ".concat(figure.querySelector('.names').textContent)); })"
)
HOSTILE = "<img src=x onerror=window.hacked=1>"

Photos = dict[str, Path]


def test_enrol_and_identify(page: Page, photos: Photos) -> None:
    assert f"{GRACE}: 2 photos enrolled" in page.enrol(GRACE, [photos["grace"], photos["grace again"]])
    row = page.row(GRACE)
    assert "2 photos" in row.text
    page.until(lambda: len(page.every(".person .face img")) == 2)
    page.row(GRACE)
    assert page.identify([photos["grace again"], photos["eileen"]]) == [[GRACE], [NOT_IN_DATASET]]
    member, stranger = page.every(".box")
    assert "member" in str(member.get_attribute("class"))
    assert "stranger" in str(stranger.get_attribute("class"))
    assert page.one("#summary").text == "2 photos, 2 faces: 1 named, 1 not in the dataset"


def test_a_box_lies_on_the_face_and_tells_more_when_it_is_focused(
    page: Page, api: httpx.Client, photos: Photos
) -> None:
    page.enrol(GRACE, [photos["grace"]])
    page.identify([photos["grace again"]])
    answer = api.post(f"/v1/galleries/{page.gallery}/identify", content=photos["grace again"].read_bytes())
    image = answer.json()["images"][0]
    face = image["faces"][0]
    picture, box = page.one(".stage img").rect, page.one(".box").rect
    drawn = [(box["x"] - picture["x"]) / picture["width"], (box["y"] - picture["y"]) / picture["height"]]
    drawn += [drawn[0] + box["width"] / picture["width"], drawn[1] + box["height"] / picture["height"]]
    wanted = np.array(list(face["box"].values())) / np.tile([image["width"], image["height"]], 2)
    np.testing.assert_allclose(drawn, wanted, atol=0.01)
    tip = page.one(".box .tip")
    assert not tip.is_displayed()
    page.browser.execute_script("document.querySelector('.box').focus({focusVisible: true})")
    page.until(tip.is_displayed)
    assert f"similarity {face['similarity']:.3f}" in tip.text
    assert f"threshold {face['threshold']:.3f}" in tip.text


def test_a_face_that_is_somebody_else_loses_the_name(page: Page, api: httpx.Client, photos: Photos) -> None:
    page.enrol(GRACE, [photos["grace"]])
    api.patch(f"/v1/galleries/{page.gallery}", json={"threshold": 0.85})
    page.browser.refresh()
    page.until(lambda: page.chosen() == page.gallery)
    assert page.identify([photos["grace"], photos["eileen"]]) == [[GRACE], [GRACE]]
    stranger = page.every(".box")[-1]
    for press in ("#dialog-cancel", "#dialog-action"):
        stranger.click()
        assert page.one("#dialog-title").text == f"Not {GRACE}?"
        page.one(press).click()
    page.until(lambda: page.names() == [[GRACE], [NOT_IN_DATASET]])
    (person,) = api.get(f"/v1/galleries/{page.gallery}/people").json()["people"]
    assert (person["photos"], person["counter_examples"]) == (1, 1)


def test_the_photo_itself_is_not_said_to_be_somebody_else(page: Page, api: httpx.Client, photos: Photos) -> None:
    page.enrol(GRACE, [photos["grace"]])
    assert page.identify([photos["grace"]]) == [[GRACE]]
    page.one(".box").click()
    page.one("#dialog-action").click()
    page.until(lambda: "contradiction" in page.one("#photos figure > .problem").text)
    assert page.identify([photos["grace mirrored"]]) == [[GRACE], [GRACE]]
    page.one(".box").click()
    page.one("#dialog-action").click()
    page.until(lambda: page.one("#dialog-title").text == f"Really not {GRACE}?")
    page.one("#dialog-cancel").click()
    assert all("counter-examples" in each for each in page.faults())  # the two refusals
    (person,) = api.get(f"/v1/galleries/{page.gallery}/people").json()["people"]
    assert person["counter_examples"] == 0


def test_the_slider_decides_anew_and_is_saved(page: Page, api: httpx.Client, photos: Photos) -> None:
    page.enrol(GRACE, [photos["grace"]])
    assert page.identify([photos["grace"], photos["eileen"]]) == [[GRACE], [NOT_IN_DATASET]]
    slider = page.one("#threshold-slider")
    slider.send_keys(Keys.HOME)
    assert page.names() == [[GRACE], [GRACE]]
    slider.send_keys(Keys.END)
    assert page.names() == [[NOT_IN_DATASET], [NOT_IN_DATASET]]
    number = page.one("#threshold-number")
    number.clear()
    number.send_keys("0.5")
    assert page.names() == [[GRACE], [GRACE]]
    shown = api.get(f"/v1/galleries/{page.gallery}").json()
    assert shown["threshold"] == spec("dlib-resnet29").threshold
    page.one("#threshold-save").click()
    page.until(lambda: not page.one("#threshold-save").is_enabled())
    assert api.get(f"/v1/galleries/{page.gallery}").json()["threshold"] == 0.5
    answer = api.post(f"/v1/galleries/{page.gallery}/identify", content=photos["eileen"].read_bytes()).json()
    assert [face["name"] for face in answer["images"][0]["faces"]] == [GRACE]


def test_a_broken_photo_shows_its_reason(page: Page, photos: Photos) -> None:
    said = page.enrol(GRACE, [photos["grace"], photos["broken"]])
    assert "1 photo enrolled, 1 refused" in said
    assert "broken.jpg" in said
    assert "truncated_image" in said
    assert page.identify([photos["broken"], photos["grace"]]) == [[], [GRACE]]
    assert "truncated_image" in page.one("#photos figure .problem").text


def test_a_photo_of_somebody_else_shows_a_warning(page: Page, photos: Photos) -> None:
    page.enrol(GRACE, [photos["grace"]])
    said = page.enrol("Eileen", [photos["grace again"]])
    assert "Eileen: 1 photo enrolled, 1 warning" in said
    assert f"enrolled, but the photo looks like {GRACE}" in said
    assert "looks_like" in said


def test_a_poor_face_shows_what_is_wrong_with_it(page: Page, api: httpx.Client, photos: Photos, tmp_path: Path) -> None:
    page.enrol(GRACE, [photos["grace"]])
    api.patch(f"/v1/galleries/{page.gallery}", json={"probe_quality": "strict", "quality": "strict"}).raise_for_status()
    blurred = cv2.GaussianBlur(hopper(), (0, 0), 12)
    both = tmp_path / "both.png"
    both.write_bytes(encode(beside([hopper(), np.asarray(blurred, np.uint8)]), "PNG"))
    assert page.identify([both]) == [[GRACE, "poor quality"]]
    member, poor = page.every(".box")
    assert "member" in str(member.get_attribute("class"))
    assert "poor" in str(poor.get_attribute("class"))
    assert "too blurred" in str(poor.get_attribute("aria-label"))
    assert page.one("#summary").text == "1 photo, 2 faces: 1 named, 0 not in the dataset, 1 of poor quality"
    page.browser.execute_script("document.querySelector('.box.poor').focus({focusVisible: true})")
    page.until(lambda: "too blurred" in page.one(".box.poor .tip").text)
    both.with_name("blurred.png").write_bytes(encode(np.asarray(blurred, np.uint8), "PNG"))
    assert "too_blurred" in page.enrol("Blurred", [both.with_name("blurred.png")])


def test_nobody_is_added_without_a_photo(page: Page, api: httpx.Client, photos: Photos) -> None:
    said = page.enrol(GRACE, [photos["broken"]])
    assert f"{GRACE} was not added" in said
    assert "truncated_image" in said
    assert api.get(f"/v1/galleries/{page.gallery}/people").json()["people"] == []


def test_a_name_is_only_ever_text(page: Page, api: httpx.Client, photos: Photos) -> None:
    page.enrol(HOSTILE, [photos["grace"]])
    assert page.identify([photos["grace again"]]) == [[HOSTILE]]
    page.row(HOSTILE)
    assert page.texts(".person h3") == [HOSTILE]
    page.one(f"[aria-label='Erase {HOSTILE}']").click()
    page.until(lambda: page.one("#dialog").is_displayed())
    assert HOSTILE in page.one("#dialog-title").text
    page.one("#dialog-cancel").click()
    page.one("#new-gallery-name").send_keys(HOSTILE)
    page.one("#new-gallery button").click()
    page.until(lambda: page.chosen() == HOSTILE)
    assert page.every("img[src=x]") == []
    assert page.browser.execute_script("return window.hacked") is None
    api.delete(f"/v1/galleries/{HOSTILE}").raise_for_status()


def test_rename_and_erase(page: Page, api: httpx.Client, photos: Photos) -> None:
    page.enrol(GRACE, [photos["grace"]])
    assert page.identify([photos["grace"]]) == [[GRACE]]
    page.row(GRACE)
    page.one(f"[aria-label='Rename {GRACE}']").click()
    page.answer("曾宏鈞 🎼")
    page.row("曾宏鈞 🎼")
    page.one("#again").click()
    page.until(lambda: page.names() == [["曾宏鈞 🎼"]])
    page.one("[aria-label='Erase 曾宏鈞 🎼']").click()
    assert "cannot be undone" in page.answer()
    page.until(lambda: not page.every(".person"))
    assert api.get(f"/v1/galleries/{page.gallery}/people").json()["people"] == []
    page.one("#again").click()
    page.until(lambda: page.names() == [[NOT_IN_DATASET]])


def test_a_question_can_be_declined(page: Page, photos: Photos) -> None:
    page.enrol(GRACE, [photos["grace"]])
    page.row(GRACE)
    page.one(f"[aria-label='Erase {GRACE}']").click()
    page.until(lambda: page.one("#dialog").is_displayed())
    page.one("#dialog").send_keys(Keys.ESCAPE)
    page.until(lambda: not page.one("#dialog").is_displayed())
    assert page.texts(".person h3") == [GRACE]


def test_photos_dropped_on_a_row_are_enrolled_and_one_is_erased(page: Page, photos: Photos) -> None:
    page.enrol(GRACE, [photos["grace"]])
    drop = """
        const [row, from] = arguments;
        const moved = new DataTransfer();
        moved.items.add(from.files[0]);
        row.dispatchEvent(new DragEvent("drop", { dataTransfer: moved, bubbles: true, cancelable: true }));
    """
    page.browser.execute_script(
        "document.body.append(Object.assign(document.createElement('input'), {type: 'file', id: 'from'}))"
    )
    page.choose("#from", [photos["grace again"]])
    page.browser.execute_script(drop, page.row(GRACE), page.one("#from"))
    page.until(lambda: page.texts(".person .note") == ["2 photos"])
    page.until(lambda: len(page.every(".person .face img")) == 2)
    page.row(GRACE).find_element("css selector", ".face").click()
    page.answer()
    page.until(lambda: page.texts(".person .note") == ["1 photo"])


def test_a_gallery_is_created_and_erased(page: Page, api: httpx.Client) -> None:
    page.one("#new-gallery-name").send_keys(NOT_IN_DATASET)
    page.one("#new-gallery button").click()
    page.until(lambda: "reserved" in page.one("#gallery-problem").text)
    page.one("#new-gallery-name").clear()
    page.one("#new-gallery-name").send_keys("orchestra")
    page.one("#new-gallery button").click()
    page.until(lambda: page.chosen() == "orchestra")
    assert page.browser.current_url.endswith("#gallery=orchestra")
    page.one("#erase-gallery").click()
    assert "0 people" in page.answer()
    page.until(lambda: page.chosen() not in ("orchestra", ""))
    assert api.get("/v1/galleries/orchestra").status_code == 404


def test_pictures_of_faces_can_be_switched_off(page: Page, api: httpx.Client, photos: Photos) -> None:
    page.enrol("Grace", [photos["grace"]])
    page.row("Grace")
    assert page.one("#keep-crops").text == "Keep no pictures …"
    page.one("#keep-crops").click()
    assert "cannot be undone" in page.answer()
    page.until(lambda: page.texts(".person .unseen") == ["not kept"])
    path = f"/v1/galleries/{quote(page.gallery)}"
    assert api.get(path).json()["keep_crops"] is False
    assert page.one("#keep-crops").text == "Keep pictures"
    page.one("#keep-crops").click()
    page.until(lambda: page.one("#keep-crops").text == "Keep no pictures …")
    assert api.get(path).json()["keep_crops"] is True


def test_the_status_line_is_loud_when_the_store_is_away(
    page: Page, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.until(lambda: page.one("#status").get_attribute("data-status") == "ready")
    assert "dlib-resnet29 · dlib on cpu" in page.one("#status").text
    assert not page.one("#alarm").is_displayed()
    about = server.pipeline.about

    async def away() -> dict[str, Any]:
        return await about() | {"store": "unavailable", "detail": "nobody answers"}

    monkeypatch.setattr(server.pipeline, "about", away)
    page.browser.refresh()
    page.until(lambda: page.one("#alarm").is_displayed())
    assert "Degraded" in page.one("#alarm").text
    assert "nobody answers" in page.one("#alarm").text
    # The browser notes the 503 itself; nothing else may be noted.
    assert all("readyz" in fault for fault in page.faults())


def test_everything_that_can_be_used_has_a_name(page: Page, photos: Photos) -> None:
    page.enrol(GRACE, [photos["grace"]])
    page.identify([photos["grace"]])
    page.row(GRACE)
    assert page.nameless() == []
    page.one(f"[aria-label='Rename {GRACE}']").click()
    page.until(lambda: page.one("#dialog").is_displayed())
    assert page.nameless("#dialog ") == []
    page.one("#dialog-cancel").click()


def test_the_page_decides_as_the_library_does(page: Page) -> None:
    random = np.random.default_rng(7)
    for turn in range(40):
        people, faces = random.integers(1, 8, 2)
        matrix, probes = (rows(random, count) for count in (people, faces))
        names = tuple(f"p{index}" for index in range(people))
        threshold = float(random.uniform(-0.5, 0.9))
        snapshot = Snapshot("g", 1, "n", threshold, People.of(names, names, matrix))
        unique = turn % 2 == 0
        matches = snapshot.match(probes, np.zeros(faces, int), candidates=int(people), unique=unique)
        asked_for = [
            {
                "candidates": [
                    {"person_id": each.person_id, "name": each.name, "similarity": each.similarity}
                    for each in match.candidates
                ],
                "reasons": list(match.reasons),
            }
            for match in matches
        ]
        decided = page.browser.execute_async_script(DECIDE, asked_for, threshold, unique)
        for ours, theirs in zip(decided, matches, strict=True):
            assert (ours["person"], ours["name"]) == (theirs.person_id, theirs.name)
            assert ours["similarity"] == pytest.approx(theirs.similarity)
            assert ours["margin"] == (None if theirs.margin is None else pytest.approx(theirs.margin))


def test_the_page_decides_by_scores_where_a_cohort_decides(page: Page) -> None:
    random = np.random.default_rng(3)
    for turn in range(10):
        faces = int(random.integers(1, 8))
        matrix, probes = (rows(random, count) for count in (60, faces))
        ids = [f"p{index:02}" for index in range(60)]
        cohort, people = begin(People.of(ids, ids, matrix), {})
        threshold, unique = float(random.uniform(-0.3, 0.4)), turn % 2 == 0
        snapshot = Snapshot("g", 1, "n", threshold, people, decision="cohort", cohort=cohort)
        matches = snapshot.match(probes, np.zeros(faces, int), candidates=60, unique=unique)
        asked_for = [
            {
                "candidates": [
                    {
                        "person_id": each.person_id,
                        "name": each.name,
                        "similarity": each.similarity,
                        "score": each.deciding,
                    }
                    for each in match.candidates
                ],
                "reasons": list(match.reasons),
            }
            for match in matches
        ]
        decided = page.browser.execute_async_script(DECIDE, asked_for, threshold, unique)
        for ours, theirs in zip(decided, matches, strict=True):
            assert (ours["person"], ours["name"]) == (theirs.person_id, theirs.name)
            assert ours["similarity"] == pytest.approx(theirs.similarity)
            assert ours["score"] == pytest.approx(theirs.score)
            assert ours["margin"] == (None if theirs.margin is None else pytest.approx(theirs.margin))


@pytest.mark.parametrize(
    ("name", "reasons", "shown", "said"),
    [
        ("not_live", ["not_live"], "not live", "not live: this may be a picture of a face"),
        ("not_live", ["face_too_small"], "not live", "not live: too small to see whether it is live"),
        ("poor_quality", ["face_too_small"], "poor quality", "poor quality: too poor to be named:, face too small"),
    ],
)
def test_why_a_face_was_not_searched_for_is_said(
    page: Page, name: str, reasons: list[str], shown: str, said: str
) -> None:
    face = {"name": name, "candidates": [], "reasons": reasons, "box": {"x1": 0, "y1": 0, "x2": 9, "y2": 9}}
    assert page.browser.execute_async_script(DRAW, [face]) == [said, shown]


def test_the_page_of_the_api_works_offline(page: Page, server: LocalServer, browser: webdriver.Chrome) -> None:
    browser.get(f"{server.url}/docs")
    page.until(lambda: len(page.every(".opblock")) > 15)
    assert asked(browser) == {server.url}


def test_headers(api: httpx.Client) -> None:
    for path in ("/", "/app.js", "/docs", "/docs/assets/swagger-ui.css"):
        answer = api.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def rows(random: np.random.Generator, count: int) -> Descriptors:
    return unit(random.normal(size=(count, 6)).astype(np.float32))
