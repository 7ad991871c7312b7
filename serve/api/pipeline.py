"""What the routes need of the rest of the server. `serve.ingress.Ingress` is it on Ray; tests give the library itself."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from facegroup.cameras.hub.part import Part
from facegroup.errors import FacegroupError
from facegroup.gallery.calibrator import CalibrationResult, Strangers
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult, Query
from facegroup.store.audit import Origin
from facegroup.store.contract import RemoteStore
from facegroup.types import Descriptors

_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")


class Pipeline(Protocol):
    """Photos in, what is in them out; and the store behind it."""

    def has_room(self, count: int, size: int = 0) -> bool:
        """Say whether so many more photos, of so many bytes together, would be taken now."""

    async def see(self, photos: Sequence[Photo]) -> list[PhotoResult | FacegroupError]:
        """Return what is in each photo; one that cannot be used has its error as its answer."""

    async def match(self, descriptors: Descriptors, query: Query) -> PhotoMatches:
        """Decide on descriptors that the caller has. Raises what `Matcher.match` gives as an error."""

    async def ask(
        self, method: Callable[Concatenate[RemoteStore, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
    ) -> _Answer:
        """Call a method of the store, with its errors: ``ask(Store.person, gallery, person_id)``."""

    async def calibrate(
        self, gallery: str, fpir: float, strangers: Strangers | None, *, dry_run: bool, by: Origin
    ) -> CalibrationResult:
        """Find the threshold for an FPIR and set it; see `facegroup.gallery.calibrator.run`."""

    async def cameras(
        self,
        method: Callable[Concatenate[Part, _P], Coroutine[Any, Any, _Answer]],
        /,
        *given: _P.args,
        **named: _P.kwargs,
    ) -> _Answer:
        """Call a method of a part of the hub, in the cameras' process; see `facegroup.cameras.hub.part`."""

    async def alive(self) -> None:
        """Return when every stage has answered. Raises `StageUnavailable` where one cannot be reached."""

    async def about(self) -> dict[str, Any]:
        """Say what runs: network, dimension, engines, devices, store."""

    async def scraped(self) -> str:
        """Return the metrics of all processes in Prometheus' text format."""

    async def scraped_from_ray(self) -> str:
        """Return Ray's own metrics of this machine in Prometheus' text format."""
