"""What a route takes beside its body: a name that it does not know is refused and not dropped, which would be a default."""

from collections.abc import Iterable
from difflib import get_close_matches

from fastapi import Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from facegroup.errors import MalformedRequest, UnknownParameter

_SHOWN = 64
_QUERY = "query parameter"
_FIELD = "form field"
_FILES = "; a photo is sent as a file part, with a file name"


async def known(request: Request) -> None:
    """Let a request in whose query parameters are the route's own, each given once; a dependency of all routes.

    Raises:
        UnknownParameter: one is not; the message names the nearest that is.
        MalformedRequest: one is given twice.
    """
    asked = [name for name, _ in request.query_params.multi_items()]
    for name in asked:
        if name not in _names(request):
            raise _unknown(request, name, _QUERY)
        if asked.count(name) > 1:
            raise MalformedRequest(f"the query parameter {name} is given {asked.count(name)} times; give it once")


def refuse(request: Request, names: Iterable[str], what: str = _FIELD) -> None:
    """Refuse what a body has beside photos, of which there is nothing that a route takes.

    Args:
        request: whose body it is.
        names: of form fields, or of fields of JSON.
        what: they are, for the message.

    Raises:
        UnknownParameter: there is one; the message names the nearest query parameter.
    """
    for name in names:
        raise _unknown(request, name, what)


def _names(request: Request) -> list[str]:
    route: APIRoute = request.scope["route"]
    return [each.alias for each in get_flat_params(route.dependant) if isinstance(each.field_info, params.Query)]


def _unknown(request: Request, name: str, what: str) -> UnknownParameter:
    names = _names(request)
    near = {each.casefold(): each for each in names}
    found = get_close_matches(name[:_SHOWN].casefold().replace("-", "_"), near, 1)
    if not names:
        told = "this path takes no query parameters"
    else:
        told = f"the query parameters of this path are {', '.join(names)}"
    if found and what == _QUERY:
        told = f"did you mean {near[found[0]]}? {told}"
    elif found:
        told = f"send it in the query, as ?{near[found[0]]}=…; {told}"
    return UnknownParameter(f"there is no {what} {name[:_SHOWN]!r} here: {told}{_FILES if what == _FIELD else ''}")
