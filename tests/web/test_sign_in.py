"""Signing in on the page in a real browser, and looking after keys and users, against the real routes."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from axe_core_python import selenium as axe
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.support.select import Select

from facegroup.access import passwords
from facegroup.access.registry import Registry, open_registry
from facegroup.access.types import Grant
from facegroup.access.users import Users
from facegroup.settings import load
from facegroup.types import NOT_IN_DATASET
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import encode, hopper
from tests.web.conftest import asked
from tests.web.page import Page, log

PASSWORD = "correct horse battery"
HOSTILE = "<img src=x onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalServer, Registry]]:
    """A server that asks for a sign-in, with a user of each role and a gallery with Grace in it."""
    pytest.importorskip("dlib", reason="needs the extra dlib")
    settings = load(network="dlib-resnet29", store=f"sqlite:///{tmp_path_factory.mktemp('closed')}/gallery.db")
    pipeline = LocalPipeline(settings)
    server, registry = LocalServer(pipeline), open_registry(settings.store)
    with httpx.Client(base_url=server.url, trust_env=False, timeout=120) as api:
        api.put("/v1/galleries/choir").raise_for_status()
        api.put("/v1/galleries/band").raise_for_status()
        api.put("/v1/galleries/choir/people/grace", json={"name": "Grace"}).raise_for_status()
        api.post("/v1/galleries/choir/people/grace/photos", content=encode(hopper())).raise_for_status()
    hashed, users = passwords.hashed(PASSWORD), Users(registry)
    for role in ("admin", "editor", "viewer"):
        users.add(role, hashed, role, None if role == "admin" else ("choir",))
    yield server, registry
    server.stop()
    registry.close()
    pipeline.close()


@pytest.fixture
def page(closed: tuple[LocalServer, Registry], browser: webdriver.Chrome) -> Iterator[Page]:
    """The page, where nobody has signed in. Afterwards: nothing went wrong in it, and it asked nobody else."""
    server = closed[0]
    browser.get(f"{server.url}/docs")
    browser.delete_all_cookies()
    for kind in ("browser", "performance"):
        log(browser, kind)
    browser.get(f"{server.url}/#gallery=choir")
    page = Page(browser, "choir")
    page.until(lambda: there(page, "sign-in"))
    yield page
    assert [each for each in page.faults() if "status of 401" not in each and "status of 409" not in each] == []
    assert asked(browser) <= {server.url}
    assert browser.execute_script("return window.hacked") is None
    browser.set_window_size(1200, 1000)


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    for field, text in (("#sign-in-name", name), ("#sign-in-secret", password)):
        page.one(field).clear()
        page.one(field).send_keys(text)
    page.one("#sign-in-password button").click()
    if password == PASSWORD:
        page.until(lambda: there(page, "account"))


def press(page: Page, label: str) -> None:
    """Press a button as a user does, which gives it the focus, also while its list is shown anew."""

    def pressed() -> bool:
        with suppress(StaleElementReferenceException):
            page.one(f"[aria-label='{label}']").click()
            return True
        return False

    page.until(pressed)


def there(page: Page, part: str) -> bool:
    """Return whether a part of the page is shown, also while the page is loaded anew."""
    script = "const part = document.getElementById(arguments[0]); return part !== null && !part.hidden"
    return bool(page.browser.execute_script(script, part))


def show(page: Page, view: str) -> None:
    page.one(f"[data-view={view}]").click()
    page.until(lambda: page.one(f"#{view}").is_displayed())


def shown(page: Page, selector: str) -> bool:
    return any(each.is_displayed() for each in page.every(selector))


def test_the_page_asks_before_it_shows_anything(page: Page) -> None:
    for part in ("#faces", "#keys", "#users", "#views", "#account"):
        assert not shown(page, part)
    assert page.browser.switch_to.active_element.get_attribute("id") == "sign-in-name"
    assert "choir" not in page.one("body").text
    assert page.nameless() == []
    sign_in(page, "admin", "wrong password")
    page.until(lambda: "sign_in_refused" in page.one("#sign-in-problem").text)
    assert page.one("#sign-in-secret").get_attribute("value") == ""
    sign_in(page, "ADMIN")
    page.until(lambda: page.chosen() == "choir")
    assert page.one("#account-name").text == "admin"
    assert page.browser.execute_script("return document.cookie") == ""
    page.browser.refresh()
    page.until(lambda: there(page, "account"))
    page.one("#log-out").click()
    page.until(lambda: there(page, "sign-in"))
    assert not page.browser.get_cookies()


def test_crops_and_event_streams_work_with_the_session(page: Page) -> None:
    sign_in(page, "admin")
    page.row("Grace")  # which waits for its pictures
    script = """const [done] = arguments; const stream = new EventSource("/v1/sightings/stream");
        stream.onopen = () => { stream.close(); done("open"); };
        stream.onerror = () => { stream.close(); done("error"); };"""
    assert page.browser.execute_async_script(script) == "open"


def test_an_admin_changes_things_with_the_session(page: Page, tmp_path: Path) -> None:
    sign_in(page, "admin")
    page.until(lambda: page.chosen() == "choir")
    photo = tmp_path / "grace.png"
    photo.write_bytes(encode(np.ascontiguousarray(hopper()[:, ::-1]), "PNG"))
    assert page.identify([photo]) == [["Grace"]]
    assert "1 photo enrolled" in page.enrol("Grace", [photo])


@pytest.mark.parametrize(
    ("role", "there", "missing"),
    [
        ("viewer", ["#identify"], ["#people", "#enrol", "#erase-gallery", "#threshold-save", "#new-gallery", "#views"]),
        ("editor", ["#identify", "#enrol", "#erase-gallery", "#threshold-save"], ["#new-gallery", "#views"]),
        ("admin", ["#identify", "#enrol", "#erase-gallery", "#new-gallery", "#views", "a[href=metrics]"], []),
    ],
)
def test_what_a_role_may_not_do_is_not_shown(page: Page, role: str, there: list[str], missing: list[str]) -> None:
    sign_in(page, role)
    page.until(lambda: page.chosen() == "choir")
    for selector in there:
        page.until(partial(shown, page, selector))
    for selector in missing:
        assert not shown(page, selector), selector
    assert page.texts("#galleries option") == (["band", "choir", "default"] if role == "admin" else ["choir"])


def test_a_viewer_identifies_and_corrects_nothing(page: Page, tmp_path: Path) -> None:
    sign_in(page, "viewer")
    page.until(lambda: page.chosen() == "choir")
    photo = tmp_path / "grace.png"
    photo.write_bytes(encode(hopper(), "PNG"))
    assert page.identify([photo]) == [["Grace"]]
    page.one(".box").click()
    assert not page.one("#dialog").is_displayed()
    assert "press" not in str(page.one(".box").get_attribute("aria-label"))


def test_a_key_from_first_to_last(page: Page, closed: tuple[LocalServer, Registry]) -> None:
    server, registry = closed
    sign_in(page, "admin")
    show(page, "keys")
    page.one("#new-key button").click()
    page.until(lambda: "Choose what the key may do" in page.one("#keys-problem").text)
    page.one("#new-key-note").send_keys(HOSTILE)
    page.one("#new-key-scopes input[value=identify]").click()
    Select(page.one("#new-key-galleries")).select_by_visible_text("choir")
    page.browser.execute_script("document.getElementById('new-key-expires').value = '2040-01-31'")
    page.one("#new-key button").click()
    key = page.until(lambda: page.texts("#made-key code"))[0]
    (made,) = [each for each in registry.all() if each.note == HOSTILE]
    assert key.startswith(made.prefix)
    assert (made.grant.scopes, made.grant.galleries) == (frozenset({"identify"}), ("choir",))
    assert made.grant.expires_at is not None
    assert made.created_by == "user admin"
    headers = {"x-api-key": key}
    assert (
        httpx.get(f"{server.url}/v1/galleries/choir", headers=headers, trust_env=False, timeout=60).status_code == 200
    )
    page.one(".secret button").click()
    page.until(lambda: page.one("#announcement").get_attribute("textContent") == "The key is copied.")
    page.one(f"[data-id='{made.id}'] button").click()
    assert "another day" in page.answer()
    newer = page.until(lambda: [each for each in page.texts("#made-key code") if each != key])[0]
    assert httpx.get(
        f"{server.url}/v1/galleries/choir", headers={"x-api-key": newer}, trust_env=False, timeout=60
    ).is_success
    page.one("#made-key .quiet").click()
    assert page.texts("#made-key code") == []
    assert key not in page.browser.page_source
    page.one(f"[data-id='{made.id}'] button:last-child").click()
    assert "cannot be undone" in page.answer()
    page.until(lambda: page.every(f".ended[data-id='{made.id}']"))
    assert (
        httpx.get(
            f"{server.url}/v1/galleries/choir", headers={"x-api-key": newer}, trust_env=False, timeout=60
        ).status_code
        == 401
    )


def test_a_user_from_first_to_last(page: Page, closed: tuple[LocalServer, Registry]) -> None:
    _, registry = closed
    sign_in(page, "admin")
    show(page, "users")
    page.one("#new-user-name").send_keys("Ada")
    page.one("#new-user-password").send_keys(PASSWORD)
    Select(page.one("#new-user-role")).select_by_visible_text("editor")
    page.one("#new-user button").click()
    row = page.until(lambda: page.every("[data-name=ada]"))[0]
    assert "all galleries" in row.text
    Select(row.find_element("css selector", "select")).select_by_visible_text("viewer")
    page.until(lambda: Users(registry).show("ada").role == "viewer")
    before = Users(registry).show("ada").hash
    page.until(lambda: page.browser.execute_script("return document.activeElement.ariaLabel") == "Role of ada")
    press(page, "Set the password of ada")
    page.answer("another long password")
    page.until(lambda: Users(registry).show("ada").hash != before)
    assert passwords.matches(Users(registry).show("ada").hash, "another long password")
    page.until(
        lambda: page.browser.execute_script("return document.activeElement.ariaLabel") == "Set the password of ada"
    )
    press(page, "Disable ada")
    page.until(lambda: page.every(".ended[data-name=ada]"))
    press(page, "Remove ada")
    page.answer()
    page.until(lambda: not page.every("[data-name=ada]"))
    press(page, "Disable admin")
    page.until(lambda: "last_admin" in page.one("#users-problem").text)


def test_a_key_signs_in_and_its_end_shows_the_sign_in(page: Page, closed: tuple[LocalServer, Registry]) -> None:
    registry = closed[1]
    key, secret = registry.add(Grant(frozenset({"enrol", "identify"})), "the desk")
    page.one("#sign-in-key-text").send_keys(secret.text)
    page.one("#sign-in-key button").click()
    page.until(lambda: there(page, "account"))
    assert page.one("#account-name").text == "key the desk"
    page.until(lambda: page.chosen() == "choir")
    registry.revoke(key.id)
    page.one("#new-gallery-name").send_keys(NOT_IN_DATASET)
    page.one("#new-gallery button").click()
    page.until(lambda: there(page, "sign-in"))
    assert "has ended" in page.one("#sign-in-problem").text
    assert not shown(page, "#faces")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1200, 1000), (390, 844)], ids=["desktop", "phone"])
def test_no_view_is_hard_to_use(page: Page, theme: str, size: tuple[int, int], tmp_path: Path) -> None:
    """By axe-core, on a desktop and a phone, in both themes; pictures of the views are kept where SHOTS says."""
    page.browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    )
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        look(page, f"sign-in-{theme}-{width}", tmp_path)
        sign_in(page, "admin")
        page.row("Grace")
        look(page, f"faces-{theme}-{width}", tmp_path)
        show(page, "keys")
        page.one("#new-key-note").send_keys("the door")
        page.one("#new-key-scopes input[value=identify]").click()
        page.one("#new-key button").click()
        page.until(lambda: page.texts("#made-key code"))
        look(page, f"keys-{theme}-{width}", tmp_path)
        show(page, "users")
        page.until(lambda: page.every("[data-name=viewer]"))
        look(page, f"users-{theme}-{width}", tmp_path)
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def look(page: Page, name: str, folder: Path) -> None:
    found: dict[str, Any] = axe.Axe().run(page.browser)
    said = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]
    wide = page.browser.execute_script("return document.documentElement.scrollWidth > innerWidth")
    page.browser.save_screenshot(str(Path(os.environ.get("SHOTS", folder)) / f"{name}.png"))
    assert said == []
    assert not wide
    assert page.nameless() == []
