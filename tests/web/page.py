"""The page as a person uses it: what is seen, typed, chosen and clicked."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

SECONDS = 30


class Page:
    """One open page, showing the gallery of this name."""

    def __init__(self, browser: WebDriver, gallery: str) -> None:
        self.browser = browser
        self.gallery = gallery

    def until(self, true: Callable[[], Any]) -> Any:
        """Wait until something is so, and return it."""
        return WebDriverWait(self.browser, SECONDS, 0.05).until(lambda _: true())

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def every(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Return the texts of what is there, read at once: the page may draw itself anew at any time."""
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
        found: list[str] = self.browser.execute_script(script, selector)
        return found

    def chosen(self) -> str:
        return str(self.browser.execute_script("return document.getElementById('galleries').value"))

    def choose(self, selector: str, files: Sequence[Path]) -> None:
        self.one(selector).send_keys("\n".join(map(str, files)))

    def enrol(self, name: str, files: Sequence[Path]) -> str:
        """Add a person, and return what the page says became of it."""
        self.one("#enrol-name").clear()
        self.one("#enrol-name").send_keys(name)
        self.choose("#enrol-files", files)
        self.one("#enrol-action").click()
        self.until(lambda: self.every("#enrol-report > :not(.waiting)") and self.one("#enrol-action").is_enabled())
        self.until(lambda: not self.every("#enrol-report .waiting"))
        return self.one("#enrol-report").text

    def identify(self, files: Sequence[Path]) -> list[list[str]]:
        """Drop photos, and return the names on the boxes of each that is shown, the newest first."""
        before = len(self.every("#photos figure"))
        self.choose("#identify-files", files)
        self.until(lambda: len(self.every("#photos figure")) == before + len(files))
        self.until(lambda: not self.every("#photos .waiting"))
        return self.names()

    def names(self) -> list[list[str]]:
        script = """return [...document.querySelectorAll("#photos figure")].map(
            (figure) => [...figure.querySelectorAll(".box .name")].map((name) => name.textContent))"""
        found: list[list[str]] = self.browser.execute_script(script)
        return found

    def row(self, name: str) -> WebElement:
        """Return the row of a person, once it is there with all its faces."""
        script = """return [...document.querySelectorAll(".person")].find((row) => row.dataset.name === arguments[0] &&
            [...row.querySelectorAll("img")].every((picture) => picture.naturalWidth > 0))"""
        found: WebElement = self.until(lambda: self.browser.execute_script(script, name))
        return found

    def answer(self, text: str | None = None) -> str:
        """Say yes in the dialog, with a text where it asks for one; return what it asked."""
        self.until(lambda: self.one("#dialog").is_displayed())
        question = self.one("#dialog").text
        if text is not None:
            self.one("#dialog-field").clear()
            self.one("#dialog-field").send_keys(text)
        self.one("#dialog-action").click()
        return question

    def nameless(self, within: str = "") -> list[str | None]:
        """Return what can be used and has nothing that a screen reader could say of it."""
        usable = self.every(", ".join(f"{within}{tag}" for tag in ("a", "button", "input", "select")))
        shown = [each for each in usable if each.is_displayed()]
        assert len(shown) > 2
        return [each.get_attribute("outerHTML") for each in shown if not each.accessible_name]

    def faults(self) -> list[str]:
        """Return what the console complains of, but for answers that say what is wrong with a photo."""
        entries = log(self.browser, "browser")
        complaints = [f"{entry['source']}: {entry['message']}" for entry in entries if entry["level"] == "SEVERE"]
        return [each for each in complaints if not (each.startswith("network") and "status of 422" in each)]


def log(browser: WebDriver, kind: str) -> list[dict[str, Any]]:
    """Return what a browser has logged since it was asked last."""
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return entries
