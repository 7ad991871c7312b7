"""What the README and docs/ say exists, and their examples work."""

import inspect
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from facegroup import errors
from facegroup.errors import Conflict, FacegroupError, StoreUnavailable
from facegroup.networks.registry import SPECS
from serve.commands import program
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import astronaut, both, encode, hopper, resized
from tests.serve.driver import Api
from tests.unit.test_house import is_setting

app = program()

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[str]:
    """Return the code of a page: fenced as bash, or indented."""
    text = page.read_text()
    fenced = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [*fenced, *re.findall(r"(?:^    .+\n)+", text, re.MULTILINE)]


def commands(word: str) -> list[tuple[str, list[str]]]:
    """Return the command lines in all pages that call a program, each with its page, without comments."""
    lines = [(page.name, line.strip()) for page in PAGES for block in blocks(page) for line in block.splitlines()]
    split = [(name, shlex.split(line, comments=True)) for name, line in lines if re.search(rf"(^|\s){word} ", line)]
    return [(name, words[words.index(word) + 1 :]) for name, words in split if word in words]


def leaves(kind: type[FacegroupError]) -> Iterator[type[FacegroupError]]:
    below = [each for each in kind.__subclasses__() if "code" in vars(each)]
    for each in below:
        yield from leaves(each)
    if not below or kind in (StoreUnavailable, Conflict):  # which are raised themselves, too
        yield kind


def rows(page: str, first: str) -> dict[str, list[str]]:
    """Return the table of a page whose head begins with `first`: first cell → the others."""
    text = (ROOT / "docs" / page).read_text()
    head = text.index(f"| {first} |")
    table = text[head:].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table]
    return {row[0]: row[1:] for row in cells}


def test_every_command_exists() -> None:
    root = get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    shown = commands("facegroup")
    named = {name for name, command in root.commands.items() if not command.hidden}
    assert {words[0] for _, words in shown} == named - {"demo"}
    for page, (name, *words) in shown:
        command = root.commands[name]
        if isinstance(command, typer.core.TyperGroup) and words:
            command = command.commands[words[0]]
        known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known, (page, name, words)


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {words[0] for _, words in commands("make")}
    assert {"demo", "test"} <= asked
    assert asked <= targets


def test_every_setting_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"\bFACEGROUP_\w+[A-Z]\b", page.read_text()):
            assert is_setting(name) or name == "FACEGROUP_PUBLISH", (page.name, name)


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            assert target.startswith("https://") or (page.parent / target).exists(), (page.name, target)


def test_every_file_of_the_code_exists() -> None:
    for page in PAGES:
        for name in re.findall(
            r"`((?:facegroup|deployments|serve|studies|tests|benchmarks)/[\w/]+\.py)`", page.read_text()
        ):
            assert (ROOT / name).is_file(), (page.name, name)


def test_the_table_of_codes_is_that_of_the_errors() -> None:
    known = {
        kind.code: [str(kind.status), (inspect.getdoc(kind) or "").partition("\n")[0]]
        for kind in leaves(FacegroupError)
    }
    table = rows("api.md", "code")
    framework = {"internal_error": "500", "unknown_path": "404", "method_not_allowed": "405"}
    assert {code: table.pop(code)[0] for code in framework} == framework
    assert table == known
    assert errors.FacegroupError.code in framework


def test_the_table_of_routes_is_that_of_the_api(api: Api) -> None:
    document = api("GET", "/openapi.json").json()
    routes = {
        (method.upper(), path): operation["summary"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    text = (ROOT / "docs" / "api.md").read_text()
    table = re.findall(r"^\| ([A-Z]+) \| `(\S+)` \| (.+) \|$", text, re.MULTILINE)
    assert {(method, path): summary for method, path, summary in table} == routes


def test_the_networks_page_is_that_of_the_registry() -> None:
    assert list(rows("networks.md", "name")) == list(SPECS)
    text = (ROOT / "docs" / "networks.md").read_text()
    for spec in SPECS.values():
        assert f"`{spec.name}`" in (ROOT / "README.md").read_text()
        for file in spec.weights:
            (line,) = [line for line in text.splitlines() if f"[{file.name}]" in line]
            assert f"({file.url})" in line
            assert (f"{file.bytes:,}" if file.bytes else "not published") in line
            assert (file.sha256 or "not published") in line


@pytest.mark.parametrize("page", ["README.md", "docs/library.md"])
def test_the_example_in_python_works(page: str, tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    for name, photo in {"ada1": hopper(), "ada2": resized(hopper(), 400), "party": both()}.items():
        (tmp_path / f"{name}.jpg").write_bytes(encode(photo))
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Ada Lovelace") == done.stdout.count("not in the dataset") == 1


def test_every_example_with_curl_works(tmp_path: Path, pipeline: LocalPipeline) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed; without it nothing is known about the examples")
    photos = {"ada1": hopper(), "ada2": resized(hopper(), 400), "party": both(), "one": astronaut()}
    for name, photo in photos.items():
        (tmp_path / f"{name}.jpg").write_bytes(encode(photo))
    server = LocalServer(pipeline)
    try:
        for page in (ROOT / "README.md", ROOT / "docs" / "api.md"):
            script = "\n".join(block for block in blocks(page) if "curl" in block)
            assert script
            curl = 'curl() { command curl --silent --show-error --fail-with-body --noproxy "*" "$@"; echo; }'
            whole = f"set -e\n{curl}\n{script.replace('http://127.0.0.1:8000', server.url)}"
            done = subprocess.run(
                ["bash", "-c", whole], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
            )
            assert done.returncode == 0, f"{page.name}: {done.stdout[-2000:]}{done.stderr}"
            assert "Ada Lovelace" in done.stdout
            pipeline.recognizer.new_gallery("choir")
            pipeline.recognizer.store.delete_gallery("choir")
    finally:
        server.stop()
