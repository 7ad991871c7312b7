"""Downloads go through the proxy that the environment names, and say so; what stays inside the machine does not."""

import os
from pathlib import Path

import pytest

from facegroup.errors import InvalidSettings, WeightsMissing
from facegroup.networks.download import Downloader
from facegroup.networks.spec import WeightsFile
from facegroup.remote import proxies

NAMES = [f"{each}_proxy" for each in ("http", "https", "all", "grpc", "ftp", "no")]
FILE = WeightsFile("w.bin", "https://weights.invalid/w.bin", 4, "")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, *map(str.upper, NAMES)):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "grpc_proxy", "FTP_PROXY"])
def test_what_stays_inside_knows_no_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "localhost")
    proxies.forget()
    assert name not in os.environ
    assert os.environ["no_proxy"] == "localhost"


def test_a_download_that_fails_names_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@127.0.0.1:9")
    with pytest.raises(WeightsMissing, match=r"through the proxy http://127\.0\.0\.1:9 \(https_proxy in") as failed:
        Downloader(FILE).to(tmp_path / "w.bin")
    assert "secret" not in failed.value.detail


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ALL_PROXY", "socks5://me:secret@127.0.0.1:9", "needs the package socksio"),
        ("https_proxy", "socks5h://127.0.0.1:9", "needs the package socksio"),
        ("all_proxy", "gopher://127.0.0.1:9", "cannot be used"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=said) as refused:
        Downloader(FILE).to(tmp_path / "w.bin")
    assert "\n" not in refused.value.detail
    assert "secret" not in refused.value.detail
