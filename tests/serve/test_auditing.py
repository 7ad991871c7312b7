"""What no store of galleries notes is noted by the routes, and refusals are added up."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from fastapi.responses import JSONResponse
from typer.testing import CliRunner

from facegroup.access.types import EVERYBODY, Caller
from facegroup.errors import (
    Forbidden,
    MalformedRequest,
    Overloaded,
    PersonExists,
    RateLimited,
    StoreUnavailable,
    Unauthorised,
    UnknownPerson,
)
from facegroup.settings import load
from facegroup.store import open_store
from facegroup.store.audit import Event, Origin
from facegroup.store.audit_check import verify
from facegroup.store.calls import direct
from facegroup.store.contract import Store
from facegroup.wire.galleries import AuditEntry
from serve.api.auditing import EVENTS, Auditor
from serve.api.requirements import TABLE
from serve.commands import program
from tests.serve.keyed import Keyed, Nothing, bearer

READING = {"/v1/verify", "/v1/detect", "/v1/embed", "/v1/cameras/try"}
READING |= {f"/v1/galleries/{{gallery}}/{word}" for word in ("identify", "verify")}


class Stored(Nothing):
    """A pipeline with a store and nothing else."""

    def __init__(self, store: Any) -> None:
        self.call = direct(store)
        self.away = False

    async def ask(self, method: Any, *given: Any, **named: Any) -> Any:
        if self.away:
            raise StoreUnavailable("away")
        return self.call(method, *given, **named)


@pytest.fixture
def keyed(tmp_path: Path) -> Any:
    url = f"sqlite:///{tmp_path}/g.db"
    store = open_store(url)
    made = Keyed(load(store=url, network="retail-0095"), Stored(store))
    yield made
    made.close()
    store.close()


def flush(keyed: Keyed) -> None:
    asyncio.run(keyed.api.app.state.auditor.flush())


def test_every_change_has_an_entry() -> None:
    """Whoever adds a route that changes something says here or in `EVENTS` who notes it."""
    by_store = {row for row in TABLE if row[1].startswith("/v1/galleries/")}
    changing = {row for row in TABLE if row[0] != "GET" and row[1] not in READING}
    assert changing - by_store - EVENTS.keys() == set()
    assert EVENTS.keys() <= changing


def test_open_routes_are_noted_with_who_it_was(keyed: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those that sign somebody in: nobody is known before."""
    monkeypatch.setitem(EVENTS, ("GET", "/docs"), "signed_in")
    admin = keyed.key("admin")
    assert keyed.api("GET", "/docs").status_code == 200
    (entry,) = keyed.api("GET", "/v1/audit", params={"gallery": ""}, headers=bearer(admin)).json()["entries"]
    assert (entry["what"], entry["detail"], entry["actor"].split()[0]) == ("signed_in", {}, "http")


def test_a_user_who_was_added_is_named(keyed: Keyed) -> None:
    auditor: Auditor = keyed.api.app.state.auditor
    request = Request({"type": "http", "method": "POST", "path": "/v1/users", "headers": [], "path_params": {}})
    request.state.caller = Caller("u1", "user", "grace", EVERYBODY.grant)
    for status in (201, 409):
        answer = JSONResponse({"name": "ada", "id": "u2", "role": "viewer"}, status)
        asyncio.run(auditor.changed(request, ("POST", "/v1/users"), answer))
    (entry,) = keyed.api.app.state.context.pipeline.call(Store.audit, "")
    assert (entry.event, entry.origin.actor) == (Event("user_added", None, {"user": "ada"}), "user grace")


def test_refused_sign_ins_have_a_word_of_their_own(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/g.db")

    async def attack() -> None:
        auditor = Auditor(Stored(store))  # type: ignore[arg-type]
        for _ in range(4):
            auditor.refused(Unauthorised("x"), Origin("http 10.0.0.9"), "POST", "sign_in_refused")
        auditor.refused(Unauthorised("x"), Origin("http 10.0.0.9"), "POST")
        await auditor.flush()

    asyncio.run(attack())
    told = {(each.event.what, each.result): each.event.detail["count"] for each in store.audit("")}
    assert told == {("sign_in_refused", "unauthorised"): 4, ("refused", "unauthorised"): 1}
    store.close()


def test_changes_of_keys_are_in_the_servers_log(keyed: Keyed) -> None:
    admin = keyed.key("admin")
    made = keyed.api("POST", "/v1/keys", json={"scopes": ["audit"]}, headers=bearer(admin)).json()
    keyed.api("POST", f"/v1/keys/{made['id']}/rotate", headers=bearer(admin))
    keyed.api("DELETE", f"/v1/keys/{made['id']}", headers=bearer(admin))
    keyed.api("DELETE", "/v1/keys/nobody", headers=bearer(admin))
    page = keyed.api("GET", "/v1/audit", params={"gallery": ""}, headers=bearer(admin)).json()
    assert [(each["what"], each["detail"], each["result"]) for each in page["entries"]] == [
        ("key_made", {"key": made["id"]}, "done"),
        ("key_rotated", {"key": made["id"]}, "done"),
        ("key_revoked", {"key": made["id"]}, "done"),
    ]
    assert {each["actor"] for each in page["entries"]} == {f"key {keyed.id_of(admin)}"}
    assert all(each["address"] and each["request_id"] for each in page["entries"])
    assert page["chain"]["number"] == 3
    assert made["key"] not in json.dumps(page)


def test_refusals_are_added_up(keyed: Keyed) -> None:
    admin, other = keyed.key("admin"), keyed.key("identify")
    for _ in range(5):
        assert keyed.api("GET", "/v1/keys").status_code == 401
    for _ in range(3):
        assert keyed.api("GET", "/v1/keys", headers=bearer(other)).status_code == 403
    assert keyed.api("GET", "/v1/keys/nobody", headers=bearer(admin)).status_code == 404
    assert keyed.api("POST", "/v1/keys", headers={"origin": "http://evil.example"}).status_code == 403
    flush(keyed)
    page = keyed.api("GET", "/v1/audit", params={"gallery": ""}, headers=bearer(admin)).json()["entries"]
    told = [(each["result"], each["detail"]["count"], each["actor"].split()[0]) for each in page]
    assert sorted(told) == [("forbidden", 3, "key"), ("origin_not_allowed", 1, "http"), ("unauthorised", 5, "http")]
    assert next(each["actor"] for each in page if each["result"] == "forbidden") == f"key {keyed.id_of(other)}"


def test_a_log_is_exported_as_lines(keyed: Keyed) -> None:
    admin = keyed.key("admin")
    pipeline: Stored = keyed.api.app.state.context.pipeline
    for number in range(2500):
        asyncio.run(keyed.api.app.state.auditor.note("", Event("x", None, {"n": number}), Origin("cli")))
    wanted = {"params": {"gallery": ""}, "headers": bearer(admin)}
    for more in (
        {"params": {"gallery": "", "format": "jsonl"}},
        {"headers": wanted["headers"] | {"accept": "application/jsonl"}},
    ):
        answer = keyed.api("GET", "/v1/audit", **(wanted | more))
        assert answer.headers["content-type"].startswith("application/jsonl")
        lines = [AuditEntry.model_validate_json(line).struct() for line in answer.text.splitlines()]
        assert [each.number for each in lines] == list(range(1, 2501))
    assert lines[:8] == pipeline.call(Store.audit, "", "", 8)


def test_others_are_one_entry_and_a_day_has_its_most(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/g.db")
    pipeline = Stored(store)

    async def attack() -> None:
        auditor = Auditor(pipeline, lambda: 1e9)  # type: ignore[arg-type]
        for minute in range(60):
            for number in range(300):
                for _ in range(1 + (number == 7)):
                    auditor.refused(Unauthorised("x"), Origin(f"http 10.{minute}.0.{number}", "r", f"{number}"), "GET")
            await auditor.flush()

    asyncio.run(attack())
    entries = store.audit("", limit=1000) + store.audit("", store.audit("", limit=1000)[-1].id, 1000)
    assert entries[0].event.detail["count"] == 2
    assert len(entries) == 1000 + 60
    assert sum(each.event.detail["count"] for each in entries) == 60 * 301
    assert verify(store, "").fault is None
    store.close()


def test_what_counts_as_a_refusal() -> None:
    async def counted(error: Any, method: str) -> bool:
        auditor = Auditor(Stored(None))  # type: ignore[arg-type]
        auditor.refused(error, Origin("key k1"), method)
        return bool(auditor._refused)

    assert asyncio.run(counted(Forbidden("x"), "GET"))
    assert asyncio.run(counted(PersonExists("x"), "POST"))
    assert asyncio.run(counted(RateLimited("x", 1), "GET"))
    assert not asyncio.run(counted(PersonExists("x"), "GET"))
    assert not asyncio.run(counted(UnknownPerson("x"), "DELETE"))
    assert not asyncio.run(counted(Overloaded("x"), "POST"))


def test_what_cannot_be_written_now_is_written_later(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/g.db")
    pipeline = Stored(store)

    async def write() -> None:
        auditor = Auditor(pipeline)  # type: ignore[arg-type]
        pipeline.away = True
        await auditor.note("", Event("camera_added"), Origin("key k1"))
        auditor.refused(Forbidden("x"), Origin("key k1"), "GET")
        await auditor.flush()
        pipeline.away = False
        await auditor.flush()
        await auditor.note("gone", Event("loss_accepted"), Origin("key k1"))

    asyncio.run(write())
    assert [(each.event.what, each.event.detail.get("gallery")) for each in store.audit("")] == [
        ("camera_added", None),
        ("refused", None),
        ("loss_accepted", "gone"),
    ]
    store.close()


def test_keys_of_the_command_line_and_the_check_of_its_log(tmp_path: Path) -> None:
    place = ["--store", f"sqlite:///{tmp_path}/g.db"]

    def run(*words: str) -> Any:
        return CliRunner().invoke(program(), [*words, *place])

    made = json.loads(run("keys", "add", "--role", "admin", "--json").stdout)
    assert run("keys", "revoke", made["id"], "--force").exit_code == 0
    told = json.loads(run("audit", "list", "--server-log", "--json").stdout)["entries"]
    assert [(each["what"], each["detail"], each["actor"]) for each in told] == [
        ("key_made", {"key": made["id"]}, "cli"),
        ("key_revoked", {"key": made["id"]}, "cli"),
    ]
    done = run("audit", "verify", "--server-log")
    assert (done.exit_code, f"2:{told[1]['hash']}" in done.stdout) == (0, True)
    assert run("audit", "verify", "--server-log", "--head", f"1:{told[0]['hash']}").exit_code == 0
    assert run("audit", "verify", "--server-log", "--head", f"1:{'0' * 64}").exit_code == 1
    assert isinstance(run("audit", "verify", "--server-log", "--head", "x").exception, MalformedRequest)
    file = tmp_path / "log.jsonl"
    assert run("audit", "export", str(file), "--server-log").exit_code == 0
    assert run("audit", "verify", "--file", str(file)).exit_code == 0
    assert isinstance(run("audit", "export", str(file), "--server-log").exception, MalformedRequest)
    file.write_text(file.read_text().replace("key_made", "key_shown"))
    fault = json.loads(run("audit", "verify", "--file", str(file), "--json").stdout)["fault"]
    assert (fault["number"], "was changed" in fault["why"]) == (1, True)
    file.write_text("[]\n")
    assert isinstance(run("audit", "verify", "--file", str(file)).exception, MalformedRequest)
