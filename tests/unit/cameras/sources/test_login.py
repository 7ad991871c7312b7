"""Answers to challenges, against the examples of RFC 2617 and what httpx answers."""

import httpx
import pytest

from facegroup.cameras.sources.login import Login, parsed, refusal

OWN = "0a4f113b"


@pytest.fixture(autouse=True)
def fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: OWN)


def test_the_example_of_the_standard() -> None:
    asked = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    answer = Login("Mufasa", "Circle Of Life").answer([asked], "GET", "/dir/index.html")
    assert answer is not None
    assert 'response="6629fae49393a05397450978507c4ef1"' in answer
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in answer


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-SESS", "SHA-256", "SHA-256-SESS", "md5", "sha-256"])
@pytest.mark.parametrize("qop", ["", ', qop="auth"', ', qop="auth-int,auth"'])
def test_what_httpx_answers(algorithm: str, qop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = f'Digest realm="a, b", nonce="n=1"{qop}, algorithm={algorithm}'
    monkeypatch.setattr(httpx.DigestAuth, "_get_client_nonce", lambda *_: OWN.encode())
    flow = httpx.DigestAuth("me", "p:w d").auth_flow(request := httpx.Request("GET", "http://h/path?a=b"))
    next(flow)
    flow.send(httpx.Response(401, headers={"www-authenticate": asked}, request=request))
    answer = Login("me", "p:w d").answer([asked], "GET", "/path?a=b")
    assert answer is not None
    assert parsed([answer]) == parsed([request.headers["authorization"]])


def test_the_strongest_is_taken_and_what_is_not_known_is_said() -> None:
    basic, md5, sha, odd = (
        'Basic realm="x"',
        'Digest realm="x", nonce="1"',
        'Digest nonce="2", realm="x", algorithm="SHA-256"',
        'Digest realm="x", nonce="3", algorithm=X, qop="auth"',
    )
    me = Login("me", "word")
    for order in ([basic, md5, sha, odd], [odd, sha, md5, basic], [f"{basic}, {md5}, {odd}, {sha}"]):
        assert 'nonce="2"' in str(me.answer(order, "DESCRIBE", "rtsp://h/"))
    assert me.answer([odd, basic], "GET", "/") == "Basic bWU6d29yZA=="
    for none in ([odd], [], ["Negotiate"], ["nonsense"], ['Bearer realm="x"'], ["Digest"]):
        assert me.answer(none, "GET", "/") is None
    assert "Digest X" in str(refusal([odd], logs_in=True))
    assert "Negotiate" in str(refusal(["Negotiate"], logs_in=True))
