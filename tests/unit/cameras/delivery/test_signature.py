"""The signature of Standard Webhooks, against the example that its libraries are tested with."""

import runpy
import time
from pathlib import Path

import pytest

from facegroup.cameras.delivery import signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_it_is_the_standards() -> None:
    assert signature.headers(SECRET, ID, AT + 0.9, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": str(AT),
        "webhook-signature": SIGNED,
    }


NEW = pytest.param(signature.new_secret(), id="a new one")  # it has the same name in every process


@pytest.mark.parametrize("secret", [NEW, "a plain word", "whsec_no base64", "whsec_", "пароль"])
def test_what_was_signed_is_verified(secret: str) -> None:
    signed = signature.headers(secret, ID, AT, BODY)
    assert signature.verified(secret, signed, BODY, now=AT)
    assert signature.verified(
        secret, {**signed, "webhook-signature": f"v1,old v1a,x {signed['webhook-signature']}"}, BODY, AT
    )
    assert not signature.verified(secret + "x", signed, BODY, now=AT)


@pytest.mark.parametrize(
    "given",
    [
        {"webhook-id": "another"},
        {"webhook-timestamp": str(AT + 1)},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-timestamp": "-1"},
        {"webhook-signature": ""},
        {"webhook-signature": SIGNED.replace("v1,", "v2,")},
        {"webhook-signature": SIGNED[:-2]},
        {"webhook-signature": "v1,\xff"},
    ],
)
def test_what_was_changed_is_not(given: dict[str, str]) -> None:
    signed = signature.headers(SECRET, ID, AT, BODY)
    assert not signature.verified(SECRET, {**signed, **given}, BODY, now=AT)
    assert not signature.verified(SECRET, {}, BODY, now=AT)


def test_the_pages_example_for_receivers_works(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "sightings.md").read_text()
    example = tmp_path / "receiver.py"
    example.write_text(page.split("<!-- receiver -->")[1].split("```python")[1].split("```")[0])
    is_ours = runpy.run_path(str(example))["is_ours"]
    signed = signature.headers(SECRET, ID, time.time(), BODY)
    assert is_ours(SECRET, signed, BODY)
    assert not is_ours(SECRET, signed, BODY + b" ")
    assert not is_ours(signature.new_secret(), signed, BODY)
    assert not is_ours(SECRET, signature.headers(SECRET, ID, AT, BODY), BODY)


@pytest.mark.parametrize(("late", "taken"), [(299, True), (-299, True), (301, False), (-301, False)])
def test_what_is_old_is_not_taken(late: int, taken: bool) -> None:
    assert signature.verified(SECRET, signature.headers(SECRET, ID, AT, BODY), BODY, now=AT + late) is taken
