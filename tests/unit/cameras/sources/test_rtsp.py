"""Cameras over RTSP, from GStreamer's server: how they come, change, lie, fall silent, go and come back."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from facegroup.cameras.sources import ffmpeg_opening
from facegroup.cameras.sources import reader as readers
from facegroup.cameras.sources.reader import CameraReader, look
from facegroup.cameras.types import Camera
from tests import clips
from tests.rtsp_guard import Guard, challenge
from tests.rtsp_process import RtspProcess
from tests.unit.cameras.watching import LOCAL, until, watching


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recordings")
    clip = Path(__file__).parents[5] / "shared" / "faces" / "videos" / "short_hamilton_clip.mp4"
    real = clips.shots(clip, (640, 360)) if clip.is_file() else clips.walk(50)
    large = clips.recording(folder / "large", clips.first(real, 50))
    small = clips.recording(folder / "small", clips.walk(20, (320, 240)))
    return {
        "/large": large,
        "/mjpeg": clips.recording(folder / "mjpeg", clips.walk(20, (320, 240)), codec="mjpeg"),
        "/changes": clips.joined(folder / "changes", small, large),
        "/slow": clips.recording(folder / "slow", clips.walk(5, (320, 240)), fps=1, every=1),
        "/garbage": clips.garbage(folder / "garbage"),
    }


@pytest.fixture(scope="module")
def server(recordings: dict[str, Path]) -> Iterator[RtspProcess]:
    process = RtspProcess(recordings)
    yield process
    process.kill()


def test_cameras_come_change_and_lie_side_by_side(server: RtspProcess) -> None:
    with ExitStack() as opened:
        garbage = opened.enter_context(watching(server.url("/garbage"), stall_seconds=0.5))
        slow = opened.enter_context(watching(server.url("/slow"), stall_seconds=3))
        changes = opened.enter_context(watching(server.url("/changes")))
        by_tcp = opened.enter_context(watching(server.url("/large")))
        by_udp = opened.enter_context(watching(server.url("/large"), transport="udp", stall_seconds=5))
        jpeg = opened.enter_context(watching(server.url("/mjpeg")))

        for each, size in ((by_tcp, (640, 360)), (by_udp, (640, 360)), (jpeg, (320, 240))):
            status, frame = until(each, lambda _, frame: frame is not None and frame.number > 80)
            assert frame is not None
            assert (frame.width, frame.height) == (status.width, status.height) == size
            assert status.state == "live"
            assert 15 < status.source_fps < 35
            assert frame.position == pytest.approx(frame.number / 25, abs=1.0)
        counts = by_tcp.status().counts
        assert counts.analysed + counts.late <= counts.received / 4  # five of 25 a second are due

        for size in ((320, 240), (640, 360), (320, 240)):
            _until_size(changes, size)
        assert changes.status().counts.opened == 1

        until(slow, lambda _, frame: frame is not None and frame.number >= 2)
        status, _ = until(garbage, lambda status, _: status.state == "failed")
        assert status.reason == "not_a_video"


def _until_size(reader: CameraReader, size: tuple[int, int]) -> None:
    until(reader, lambda _, frame: frame is not None and (frame.width, frame.height) == size)


def test_a_camera_that_is_cut_off_comes_back(recordings: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "LONGEST", 0.5)
    server = RtspProcess(recordings)
    with watching(server.url("/large")) as reader:
        before = until(reader, lambda _, frame: frame is not None)[1]
        server.kill()
        status, _ = until(reader, lambda status, _: status.state == "failed")
        assert status.reason == "source_unreachable"
        server.start()
        status, after = until(reader, lambda status, frame: frame is not None and status.counts.opened > 1)
        assert status.state == "live"
        assert status.reason is None
        assert before is not None
        assert after is not None
        assert after.number > before.number
        assert after.position >= before.position
    server.kill()


def test_a_key_frame_that_is_long_in_coming_is_waited_for(tmp_path: Path) -> None:
    """Whoever comes later comes between two of them, and would be told that there is no video."""
    rare = clips.recording(tmp_path / "rare", clips.walk(200, (320, 240)), every=200)
    server = RtspProcess({"/rare": rare})
    with watching(server.url("/rare")) as early:
        until(early, lambda status, frame: frame is not None and status.counts.received > 30)
        with watching(server.url("/rare"), stall_seconds=1) as late:
            status, frame = until(late, lambda status, _: status.reason is not None)
            assert (status.state, status.reason, frame) == ("connecting", "no_key_frame", None)
            assert "key frame" in str(status.detail)
            status, _ = until(late, lambda status, frame: frame is not None)
            assert (status.state, status.reason, status.counts.opened) == ("live", None, 1)
    server.kill()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_passwords(recordings: dict[str, Path], transport: str, capfd: pytest.CaptureFixture[str]) -> None:
    server = RtspProcess(recordings, "me", "hunter2")
    for who in (("me", "hunter3"), ("you", "hunter2"), (None, None)):
        camera = Camera("a", server.url("/large", *who), "g", transport=transport)  # type: ignore[arg-type]
        status, frame = look(camera, LOCAL, 20)
        assert (status.state, status.reason, frame) == ("failed", "source_refused", None)
        assert "hunter" not in repr(status)
    camera = Camera("a", server.url("/large", "me", "hunter2"), "g", transport=transport)  # type: ignore[arg-type]
    assert look(camera, LOCAL, 20)[1] is not None
    server.kill()
    assert "hunter" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("works", "challenges"),
    [
        ("sha256", [challenge("SHA-256")]),
        ("sha256", [challenge("SHA-256", "")]),
        ("sha256", [challenge("MD5"), challenge("SHA-256")]),
        ("sha256", [f"{challenge('MD5')}, {challenge('SHA-256')}"]),
        ("sha512_256", [challenge("SHA-512-256"), 'Basic realm="x"']),
        ("md5", [challenge("SHA-256"), challenge("MD5")]),
        ("md5", [challenge(None)]),
    ],
)
def test_digests(server: RtspProcess, works: str, challenges: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    guard = Guard(server.port, works, *challenges)
    source = f"rtsp://me:p%40ss%2Fhunter2@{guard.url}/large"
    with watching(source) as reader:
        status, _ = until(reader, lambda _, frame: frame is not None and frame.number > 30)
    assert (status.state, status.counts.opened) == ("live", 1)
    guard.close()
    assert "hunter" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("who", "challenges", "said", "tries"),
    [
        ("me:hunter3@", [challenge("SHA-256")], "refuses the user and the password", 1),
        ("me:hunter3@", [challenge("SHA-256"), challenge("MD5")], "refuses the user and the password", 1),
        ("me:hunter3@", [challenge("SHA3-512")], "a login of a kind that is not known here (Digest SHA3-512)", 0),
        ("me:hunter3@", ["Negotiate"], "a login of a kind that is not known here (Negotiate)", 0),
        ("", [challenge("SHA-256")], "asks for a user and a password", 0),
    ],
)
def test_a_refusal_says_what_is_wrong(
    server: RtspProcess, who: str, challenges: list[str], said: str, tries: int
) -> None:
    """And a password that is wrong is tried once: cameras lock out who tries often."""
    guard = Guard(server.port, "sha256", *challenges)
    status, frame = look(Camera("a", f"rtsp://{who}{guard.url}/large", "g"), LOCAL, 20)
    guard.close()
    assert (status.state, status.reason, frame) == ("failed", "source_refused", None)
    assert said in str(status.detail)
    assert len(guard.tried) == tries
    assert "hunter" not in str(status)


def test_nothing_of_that_name(server: RtspProcess) -> None:
    status, _ = look(Camera("a", server.url("/nothing"), "g"), LOCAL, 20)
    assert (status.state, status.reason) == ("failed", "source_refused")


def test_a_camera_that_takes_the_call_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg_opening, "OPENING", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/"
        with watching(url, stall_seconds=1) as reader:
            status, _ = until(reader, lambda status, _: status.state == "failed")
            assert status.reason == "source_unreachable"
        with watching(url, stall_seconds=600) as reader:  # closes at once all the same
            until(reader, lambda status, _: status.state == "connecting")
