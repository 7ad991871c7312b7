import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facegroup.errors import WeightsInvalid, WeightsMissing
from facegroup.networks.registry import spec
from facegroup.networks.spec import NetworkSpec, WeightsFile
from facegroup.networks.weights import downloads, fetch, find, ready, sha256
from facegroup.settings import Settings, load

CONTENT = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Published:
    """A file on a real server, and what the server does."""

    url: str = ""
    content: bytes = CONTENT
    etag: str = '"one"'
    cuts: list[int] = field(default_factory=list)
    """After how many bytes the next answers break off."""
    ranges: list[str | None] = field(default_factory=list)
    """The Range header of every request."""
    status: int = 200


@pytest.fixture
def server() -> Iterator[Published]:
    published = Published()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("range")
            published.ranges.append(wanted)
            if published.status != 200:
                self.send_response(published.status)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            start = 0
            if wanted and self.headers.get("if-range") == published.etag:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            body = published.content[start:]
            self.send_response(206 if start else 200)
            if start:
                size = len(published.content)
                self.send_header("content-range", f"bytes {start}-{size - 1}/{size}")
            if published.etag:
                self.send_header("etag", published.etag)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: published.cuts.pop(0)] if published.cuts else body)
            self.wfile.flush()
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    published.url = f"http://127.0.0.1:{httpd.server_address[1]}/net.bin"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield published
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def network(url: str, size: int = len(CONTENT), digest: str = DIGEST) -> NetworkSpec:
    return replace(spec("retail-0095"), name="net", weights=(WeightsFile("net.bin", url, size, digest),))


def leftovers(settings: Settings) -> set[str]:
    return {path.name for path in downloads(settings).rglob("*") if path.is_file()} - {"net.bin.lock"}


class TestDownload:
    def test_a_missing_file_is_downloaded_once(self, server: Published, settings: Settings) -> None:
        net = network(server.url)
        assert not ready(net, settings)
        (path,) = fetch(net, settings)
        assert path.read_bytes() == CONTENT
        assert path.is_relative_to(settings.cache_dir)
        assert ready(net, settings)
        assert fetch(net, settings) == (path,)
        assert server.ranges == [None]
        assert leftovers(settings) == {"net.bin"}

    def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(self, server: Published, settings: Settings) -> None:
        server.cuts = [300_000, 500_000]
        (path,) = fetch(network(server.url), settings)
        assert path.read_bytes() == CONTENT
        assert server.ranges == [None, "bytes=300000-", "bytes=800000-"]

    def test_the_next_start_goes_on_as_well(self, server: Published, settings: Settings) -> None:
        server.cuts = [100_000] + [0] * 9
        with pytest.raises(WeightsMissing):
            fetch(network(server.url), settings)
        assert find(network(server.url).weights[0], "net", settings) is None
        server.cuts = []
        assert fetch(network(server.url), settings)[0].read_bytes() == CONTENT
        assert server.ranges[-1] == "bytes=100000-"

    def test_a_file_that_changed_meanwhile_is_begun_anew(self, server: Published, settings: Settings) -> None:
        net = network(server.url, digest="")
        server.cuts = [100_000] + [0] * 9
        with pytest.raises(WeightsMissing):
            fetch(net, settings)
        server.cuts, server.etag, server.content = [], '"two"', CONTENT[::-1]
        assert fetch(net, settings)[0].read_bytes() == CONTENT[::-1]

    def test_without_a_validator_nothing_is_pieced_together(self, server: Published, settings: Settings) -> None:
        server.etag = ""
        server.cuts = [100_000]
        assert fetch(network(server.url), settings)[0].read_bytes() == CONTENT
        assert server.ranges == [None, None]

    def test_a_transfer_that_never_ends_well_is_given_up(self, server: Published, settings: Settings) -> None:
        server.cuts = [1000] * 99
        with pytest.raises(WeightsMissing, match="failed 4 times"):
            fetch(network(server.url), settings)
        assert len(server.ranges) == 4

    def test_another_size_is_refused_before_it_is_downloaded(self, server: Published, settings: Settings) -> None:
        with pytest.raises(WeightsInvalid, match=r"has 1,048,576 bytes instead of the published 94,694,792"):
            fetch(network(server.url, size=94_694_792), settings)
        assert leftovers(settings) == set()

    def test_another_hash_is_refused_and_not_kept(self, server: Published, settings: Settings) -> None:
        with pytest.raises(WeightsInvalid, match=f"has the sha256 {DIGEST} instead of the published {'0' * 64}"):
            fetch(network(server.url, digest="0" * 64), settings)
        assert leftovers(settings) == set()

    def test_where_no_hash_is_published_the_first_is_recorded_and_then_held(
        self, server: Published, settings: Settings
    ) -> None:
        net = network(server.url, size=0, digest="")
        (path,) = fetch(net, settings)
        record = json.loads((path.parent / "net.bin.sha256.json").read_text())
        assert record == {"url": server.url, "bytes": len(CONTENT), "sha256": DIGEST}
        assert fetch(net, settings) == (path,)
        path.write_bytes(b"x" + CONTENT[1:])
        with pytest.raises(WeightsInvalid, match=f"expected {DIGEST}"):
            fetch(net, settings)

    def test_replicas_that_start_together_download_once(self, server: Published, settings: Settings) -> None:
        net = network(server.url)
        threads = [threading.Thread(target=fetch, args=(net, settings)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.ranges == [None]
        assert find(net.weights[0], "net", settings) is not None

    def test_a_cache_that_cannot_be_written_is_said(self, server: Published, tmp_path: Path) -> None:
        (tmp_path / "cache").write_text("a file, not a folder")
        with pytest.raises(WeightsMissing, match="cannot be written: Not a directory"):
            fetch(network(server.url), load(cache_dir=tmp_path / "cache"))


class TestMissing:
    def test_one_message_says_all_that_there_is_to_do(self, settings: Settings) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/net.bin"  # bound and not listening: refused
            with pytest.raises(WeightsMissing) as refused:
                fetch(network(url), settings)
        message = refused.value.detail
        for part in ("needs net.bin", "1,048,576 bytes", DIGEST, "refused", url, str(settings.model_dir)):
            assert part in message
        assert str(downloads(settings)) in message
        assert "\n" not in message

    def test_it_names_the_networks_that_are_ready(self, server: Published, tmp_path: Path, shared: Path) -> None:
        server.status = 404
        settings = load(cache_dir=tmp_path / "cache", model_dir=shared / "models")
        with pytest.raises(WeightsMissing, match=r"404.*Ready on this machine: .*retail-0095"):
            fetch(network(server.url), settings)


class TestFind:
    FILE = WeightsFile("w.h5", "https://example.org/w.h5")

    @pytest.mark.parametrize("place", ["w.h5", "net/w.h5", "other/w.h5", "some-network/FP16/w.h5"])
    @pytest.mark.parametrize("where", ["models", "cache/weights"])
    def test_it_is_found_in_the_usual_layouts(self, settings: Settings, tmp_path: Path, where: str, place: str) -> None:
        path = tmp_path / where / place
        path.parent.mkdir(parents=True)
        path.write_bytes(b"weights")
        assert find(self.FILE, "net", settings) == path

    def test_the_model_folder_comes_first(self, settings: Settings, tmp_path: Path) -> None:
        for folder in ("models", "cache/weights"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "w.h5").write_bytes(b"weights")
        assert find(self.FILE, "net", settings) == tmp_path / "models" / "w.h5"

    def test_of_two_precisions_the_published_size_is_taken(self, settings: Settings, tmp_path: Path) -> None:
        for folder, content in (("FP16", b"12"), ("FP32", b"1234")):
            (tmp_path / "models" / "net" / folder).mkdir(parents=True)
            (tmp_path / "models" / "net" / folder / "w.h5").write_bytes(content)
        found = find(replace(self.FILE, bytes=4), "net", settings)
        assert found == tmp_path / "models" / "net" / "FP32" / "w.h5"

    def test_an_operators_file_of_another_size_is_refused(self, settings: Settings, tmp_path: Path) -> None:
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "net.bin").write_bytes(b"short")
        with pytest.raises(WeightsInvalid, match=r"net\.bin has 5 bytes, expected 1,048,576"):
            fetch(network("http://127.0.0.1:9/net.bin"), settings)

    def test_an_operators_file_of_another_hash_is_refused(self, settings: Settings, tmp_path: Path) -> None:
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "net.bin").write_bytes(CONTENT[::-1])
        with pytest.raises(WeightsInvalid, match=f"expected {DIGEST}"):
            fetch(network("http://127.0.0.1:9/net.bin"), settings)

    def test_the_shared_network_is_complete(self, shared: Path, tmp_path: Path) -> None:
        settings = load(model_dir=shared / "models", cache_dir=tmp_path)
        network = spec("retail-0095")
        assert ready(network, settings)
        assert [sha256(path) for path in fetch(network, settings)] == [file.sha256 for file in network.weights]
