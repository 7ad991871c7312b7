"""Download a published weights file to the user's cache and verify it.

An interrupted download is resumed. The file gets its name only after its size and hash have been checked.
"""

import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from facegroup.errors import WeightsInvalid, WeightsMissing
from facegroup.networks.cache import locked
from facegroup.networks.spec import RECORD, WeightsFile
from facegroup.remote.proxies import open_client, through

_PART = ".part"
_VALIDATOR = ".part.etag"
_LOCK = ".lock"
_ATTEMPTS = 4
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)

log = logging.getLogger(__name__)


class Downloader:
    """Class that downloads one weights file.

    Args:
        file: the file's URL, and its size and hash if they are published.
    """

    def __init__(self, file: WeightsFile) -> None:
        self._file = file

    def to(self, target: Path) -> None:
        """Download to `target`, unless another process has just done so.

        Raises:
            WeightsMissing: the server cannot be reached, refuses, or the transfer fails repeatedly.
            WeightsInvalid: the file is not the published one; it is removed.
        """
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with locked(target.with_name(target.name + _LOCK)):
                if not target.is_file():
                    self._download(target)
        except OSError as error:
            raise WeightsMissing(f"{target} cannot be written: {error.strerror or error}") from error

    def _download(self, target: Path) -> None:
        part, validator = target.with_name(target.name + _PART), target.with_name(target.name + _VALIDATOR)
        log.info("Downloading %s", self._file.url)
        failure = ""
        with open_client(self._file.url, timeout=_TIMEOUT, follow_redirects=True) as client:
            for _ in range(_ATTEMPTS):
                try:
                    self._transfer(client, part, validator)
                    break
                except (httpx.ConnectError, httpx.ConnectTimeout, httpx.HTTPStatusError, httpx.InvalidURL) as error:
                    said = str(error) or type(error).__name__
                    raise WeightsMissing(f"{said}{through(self._file.url)}") from error
                except httpx.HTTPError as error:
                    failure = str(error) or type(error).__name__
            else:
                raise WeightsMissing(f"the transfer failed {_ATTEMPTS} times: {failure}{through(self._file.url)}")
        self._accept(part, validator, target)

    def _transfer(self, client: httpx.Client, part: Path, validator: Path) -> None:
        """Append the missing bytes to the partial file. Start again if the server's file has changed."""
        have = part.stat().st_size if part.is_file() and validator.is_file() else 0
        # Without Accept-Encoding: identity, a proxy may compress the file, and offsets would be wrong.
        headers = {"accept-encoding": "identity"}
        if have:
            headers |= {"range": f"bytes={have}-", "if-range": validator.read_text()}
        with client.stream("GET", self._file.url, headers=headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                part.unlink()
                raise httpx.TransportError("the file on the server has changed")
            response.raise_for_status()
            if response.status_code != httpx.codes.PARTIAL_CONTENT:
                have = 0
            total = have + int(response.headers.get("content-length", 0))
            if self._file.bytes and total not in (have, self._file.bytes):
                raise WeightsInvalid(
                    f"{self._file.url} has {total:,} bytes instead of the published {self._file.bytes:,}."
                )
            tag = response.headers.get("etag", "")
            strong = tag if tag and not tag.startswith("W/") else response.headers.get("last-modified", "")
            validator.unlink(missing_ok=True)
            if not have:
                part.unlink(missing_ok=True)
            if strong:
                validator.write_text(strong)
            with part.open("ab") as out, _progress(self._file.name, have, total) as advance:
                for chunk in response.iter_raw():  # unbuffered: a buffered rest would be lost when the transfer fails
                    out.write(chunk)
                    advance.update(len(chunk))
                out.flush()
                os.fsync(out.fileno())

    def _accept(self, part: Path, validator: Path, target: Path) -> None:
        size = part.stat().st_size
        with part.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        validator.unlink(missing_ok=True)
        if self._file.bytes and size != self._file.bytes:
            part.unlink()
            raise WeightsInvalid(f"{self._file.url} has {size:,} bytes instead of the published {self._file.bytes:,}.")
        if self._file.sha256 and digest != self._file.sha256:
            part.unlink()
            raise WeightsInvalid(
                f"{self._file.url} has the sha256 {digest} instead of the published {self._file.sha256}."
            )
        if not self._file.sha256:
            record = target.with_name(target.name + RECORD)
            record.write_text(json.dumps({"url": self._file.url, "bytes": size, "sha256": digest}, indent=2) + "\n")
        part.replace(target)
        log.info("Downloaded %s: %s bytes, sha256 %s", target, f"{size:,}", digest)


class _Bar:
    def __init__(self, progress: Progress, name: str, have: int, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=total or None, completed=have)

    def update(self, count: int) -> None:
        self._progress.advance(self._task, count)


@contextmanager
def _progress(name: str, have: int, total: int) -> Iterator[_Bar]:
    """Show a progress bar on standard error if that is a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        yield _Bar(progress, name, have, total)
