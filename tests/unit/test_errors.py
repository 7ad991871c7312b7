"""The exception tree: complete in its drawing, distinct in its codes, whole after crossing a process border."""

import copy
import inspect
import pickle
import re

import pytest

from facegroup import errors

CLASSES: list[type[errors.FacegroupError]] = [
    kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.FacegroupError)
]
DRAWN = errors.__doc__ or ""


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_drawn_and_explained(kind: type[errors.FacegroupError]) -> None:
    assert re.search(rf"\b{kind.__name__}\b", DRAWN.split("FacegroupError\n", 1)[1] + " FacegroupError")
    assert kind.__doc__


def test_everything_drawn_is_an_error() -> None:
    assert set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", DRAWN)) <= {kind.__name__ for kind in CLASSES}


@pytest.mark.parametrize("root", ["ClientError", "ImageError", "NotFound", "Conflict", "ServiceError", "SetupError"])
def test_the_drawing_shows_the_inheritance(root: str) -> None:
    """On a class's line, and on those indented below it, stand its subclasses."""
    tree = DRAWN.split("FacegroupError\n", 1)[1].splitlines()
    start = next(i for i, line in enumerate(tree) if re.search(rf"── {root}\b", line))
    column = tree[start].index(root)
    below = [tree[start][column + len(root) :]]
    for line in tree[start + 1 :]:
        if not line.strip() or line[column - 3 : column] in {"├──", "└──", "── "} or re.search(r"[├└]", line[:column]):
            break
        below.append(line)
    subclasses = {kind.__name__ for kind in CLASSES if issubclass(kind, getattr(errors, root))} - {root}
    assert subclasses == set(re.findall(r"\b(?:[A-Z][a-z]+)+\b", " ".join(below))) & {k.__name__ for k in CLASSES}


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", CLASSES)
def test_status_says_whose_fault_it_is(kind: type[errors.FacegroupError]) -> None:
    too_much = kind in (errors.Overloaded, errors.RateLimited)
    assert (400 <= kind.status < 500) == (issubclass(kind, errors.ClientError) or too_much)
    assert kind.status < 600


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("arguments", [(), ("曾宏鈞 is unknown",)])
def test_errors_survive_a_process_border(kind: type[errors.FacegroupError], arguments: tuple[str, ...]) -> None:
    error = kind(*arguments)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error), kind(*error.args)):
        assert type(twin) is kind
        assert twin.args == error.args
        assert twin.detail == str(twin) == (arguments[0] if arguments else kind.code.replace("_", " "))


def test_retry_after_survives_too() -> None:
    assert pickle.loads(pickle.dumps(errors.Overloaded("full", 7))).retry_after == 7
    assert errors.StoreUnavailable().retry_after == 1
