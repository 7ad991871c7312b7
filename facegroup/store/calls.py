"""Calls to a store that another thread or process holds.

The caller names the method itself, ``ask(Store.person, gallery, person_id)``, so mypy checks every argument and the answer,
and an editor finds the definition.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from facegroup.store.contract import RemoteStore

_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")


class CallStore(Protocol):
    """Function that calls a method of a store and returns its answer. Raises what the method raises."""

    def __call__(
        self, method: Callable[Concatenate[RemoteStore, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
    ) -> _Answer:
        """Call the method."""


class AskStore(Protocol):
    """Coroutine function that calls a method of a store in another process. Raises what the method raises."""

    async def __call__(
        self, method: Callable[Concatenate[RemoteStore, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
    ) -> _Answer:
        """Call the method."""


def bound(store: RemoteStore, method: Callable[Concatenate[RemoteStore, _P], _Answer]) -> Callable[_P, _Answer]:
    """Return a method of the contract as this store implements it."""
    own: Callable[_P, _Answer] = getattr(store, method.__name__)
    return own


def direct(store: RemoteStore) -> CallStore:
    """Return the function that calls a store of this process."""

    def call(
        method: Callable[Concatenate[RemoteStore, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
    ) -> _Answer:
        return bound(store, method)(*arguments, **named)

    return call


def waiting(call: CallStore) -> AskStore:
    """Return the coroutine function that calls a store of this process, and never waits."""

    async def ask(
        method: Callable[Concatenate[RemoteStore, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
    ) -> _Answer:
        return call(method, *arguments, **named)

    return ask


def run(steps: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a coroutine that never waits, as with `waiting`, outside any event loop; return its answer."""
    try:
        steps.send(None)
    except StopIteration as done:
        answer: _Answer = done.value
        return answer
    steps.close()
    raise RuntimeError("a stage waited: this is a bug")
