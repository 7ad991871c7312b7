"""Write docs/settings.md from the fields of the settings.

Run `make docs`, or `python -m docs.settings_page > docs/settings.md`. A test compares the committed page with this one.
"""

import inspect
from typing import Any, Literal, get_args, get_origin

import platformdirs
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from facegroup.settings import PREFIX, Settings

_HEAD = f"""# Settings

<!-- made by `make docs` from facegroup/settings.py -->

You can set each setting as a variable, in a YAML file, or in the arguments of `serve deploy`. `limits.image_bytes` is
the variable `{PREFIX}LIMITS__IMAGE_BYTES`. In the YAML file that `{PREFIX}CONFIG` names, and in the arguments, it is

```yaml
limits:
  image_bytes: 60000000
```

Arguments override variables, variables override the file, and the file overrides the defaults below. An unknown name is
an error.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    own = {name: field for name, field in Settings.model_fields.items() if _part(field) is None}
    parts = {name: part for name, field in Settings.model_fields.items() if (part := _part(field))}
    sections = [_section("", "", own)]
    sections += [
        _section(name, inspect.cleandoc(part.__doc__ or ""), part.model_fields) for name, part in parts.items()
    ]
    return "\n".join([_HEAD, *sections])


def _section(prefix: str, text: str, fields: dict[str, FieldInfo]) -> str:
    heading = [f"## {prefix}", "", text, ""] if prefix else []
    rows = [_row(f"{prefix}__{name}" if prefix else name, field) for name, field in fields.items()]
    return "\n".join([*heading, "| variable | default | accepts | what |", "|---|---|---|---|", *rows, ""])


def _row(name: str, field: FieldInfo) -> str:
    return f"| `{PREFIX}{name.upper()}` | {_default(field)} | {_range(field)} | {field.description or ''} |"


def _part(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "none"
    text = str(value)
    for folder, meaning in (
        (platformdirs.user_data_path("facegroup"), "<user's data folder>"),
        (platformdirs.user_cache_path("facegroup"), "<user's cache folder>"),
    ):
        text = text.replace(str(folder), f"{meaning}/facegroup")
    return f"`{text}`"


def _range(field: FieldInfo) -> str:
    """Return the values that a field accepts, or nothing if it accepts all of its type."""
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in get_args(field.annotation))
    bounds = []
    for bound in field.metadata:
        match bound:
            case Ge(ge=value):
                bounds.append(f"at least {value}")
            case Gt(gt=value):
                bounds.append(f"above {value}")
            case Le(le=value):
                bounds.append(f"at most {value}")
            case Lt(lt=value):
                bounds.append(f"below {value}")
    return ", ".join(bounds)


if __name__ == "__main__":
    print(page(), end="")
