"""Fixtures of the page's tests: the app without Ray on a real port, and a real browser that watches what it does."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from facegroup.settings import load
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import astronaut, encode, hopper, resized
from tests.web.page import Page, log

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1000",
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    folder = tmp_path_factory.mktemp("page")
    pipeline = LocalPipeline(load(network="dlib-resnet29", store=f"sqlite:///{folder}/gallery.db"))
    running = LocalServer(pipeline)
    yield running
    running.stop()
    pipeline.close()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        reason = "chromium and chromedriver are not installed; without them nothing is known about the page"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(chromedriver))
    yield driver
    driver.quit()


@pytest.fixture
def api(server: LocalServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


@pytest.fixture
def page(server: LocalServer, browser: webdriver.Chrome, api: httpx.Client) -> Iterator[Page]:
    """The page, showing a new gallery. Afterwards: nothing went wrong in it, and it asked nobody else."""
    gallery = f"choir {uuid.uuid4().hex[:8]}"
    api.put(f"/v1/galleries/{quote(gallery)}").raise_for_status()
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        log(browser, kind)
    browser.get(f"{server.url}/#gallery={quote(gallery)}")
    page = Page(browser, gallery)
    page.until(lambda: page.chosen() == gallery)
    yield page
    assert not page.faults()
    assert asked(browser) <= {server.url}


def asked(browser: webdriver.Chrome) -> set[str]:
    """Return the origins that the browser asked for anything since its logs were read last."""
    messages = [json.loads(entry["message"])["message"] for entry in log(browser, "performance")]
    urls = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    return {"/".join(url.split("/", 3)[:3]) for url in urls if url.startswith(("http", "ws"))}


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files to choose: two of each of two people, and one that is broken."""
    folder = tmp_path_factory.mktemp("photos")
    made = {
        "grace": encode(hopper()),
        "grace again": encode(resized(hopper(), 400)),
        "grace mirrored": encode(np.ascontiguousarray(hopper()[:, ::-1])),
        "eileen": encode(astronaut()),
        "broken": encode(hopper())[:3000],
    }
    files = {name: folder / f"{name}.jpg" for name in made}
    for name, data in made.items():
        files[name].write_bytes(data)
    return files
