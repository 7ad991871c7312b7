"""The galleries of Redis: created, described, changed, erased, and where each stands."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

from dataclasses import replace
from typing import Unpack

from facegroup.errors import StoreInvalid
from facegroup.store import gallery_settings, validation
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Changes, Erased, Standing
from facegroup.store.redis import data_loss
from facegroup.store.redis.base import RedisBase
from facegroup.store.redis.keys import AUDITS, INDEX, Keys
from facegroup.store.redis.rows import cipher_of, flat, gallery_fields, read_gallery
from facegroup.store.redis.scripts import script
from facegroup.store.redis.server import Command
from facegroup.store.staging import StagingName
from facegroup.types import Gallery


class RedisGalleries(RedisBase):
    """The part of `RedisStore` that keeps galleries; see `contract.Store` for what the methods do and raise."""

    def create_gallery(self, gallery: Gallery, *, by: Origin | None = None) -> Gallery:
        wanted = validation.check_gallery(gallery)
        # The index lies on another node of a cluster, so it is no part of the step. Listed before and after: then
        # neither a crash nor an erasure at the same time leaves a gallery that is not listed.
        listed: Command = ("ZADD", INDEX, 0, wanted.name)
        event = Event("created", None, {"network": wanted.network, "threshold": wanted.threshold})
        note = self._steps.note(wanted.name, event, by)
        create = script("create", wanted.name, fields=flat(gallery_fields(wanted, self._keys)), note=note)
        if isinstance(wanted.name, StagingName):  # which is listed nowhere
            listed = ("PING",)
        _, answer, _ = self._server.write(listed, create, listed)
        return validation.same_gallery(read_gallery(wanted.name, self._keys, *answer)[0], wanted)

    def gallery(self, name: str) -> Gallery:
        found = self._steps.read(name)[0]
        return replace(found, damaged=self._damage.count(found.name))

    def galleries(self, after: str = "", limit: int = 100) -> list[Gallery]:
        found: list[Gallery] = []
        start, limit = validation.sortable(after).encode(), validation.page(limit)
        while left := limit - len(found):
            (names,) = self._server.read(("ZRANGEBYLEX", INDEX, b"(" + start, "+", "LIMIT", 0, left))
            for name in names:
                keys = Keys.of(name.decode())
                kept, *counts = self._server.read(
                    ("HGETALL", keys.gallery), ("HLEN", keys.people), ("HLEN", keys.cohort)
                )
                if not kept:
                    continue
                try:
                    one, _ = read_gallery(name.decode(), self._keys, kept, *counts)
                except StoreInvalid as error:
                    self._damage.settle("", 0, keys.gallery.__eq__, {keys.gallery: error.detail})
                else:
                    self._damage.settle("", 0, keys.gallery.__eq__, {})
                    found.append(replace(one, damaged=self._damage.count(one.name)))
            if len(names) < left:
                break
            start = names[-1]
        return found

    def _update_gallery(self, name: str, *, by: Origin | None = None, **changes: Unpack[Changes]) -> Gallery:
        columns = gallery_settings.columns(changes)
        made = changes.get("calibration")
        update = script(
            "update",
            validation.normalise_gallery(name),
            network=changes.get("network"),
            made=made and {"network": made.network, "decision": made.decision},
            fields=flat(columns),
            note=self._steps.note(validation.normalise_gallery(name), gallery_settings.event(columns), by),
        )
        (answer,) = self._server.write(update)
        if answer is None:
            raise validation.unknown_gallery(name)
        if len(answer) == 2:
            network, decision = answer
            gallery_settings.check_meant(network.decode(), decision.decode(), changes)
        found, _ = read_gallery(validation.normalise_gallery(name), self._keys, *answer)
        if changes.get("keep_crops") is False:
            self._damage.forget_crops(found.name)
        return replace(found, damaged=self._damage.count(found.name))

    def pin_gallery(self, name: str, detector: str = "", fingerprint: str = "", *, by: Origin | None = None) -> Gallery:
        kept = validation.normalise_gallery(name)
        if pins := gallery_settings.unpinned(self._steps.read(kept)[0], detector, fingerprint):
            note = self._steps.note(kept, gallery_settings.event(pins), by)
            (answer,) = self._server.write(script("update", kept, pins=True, fields=flat(pins), note=note))
            if answer is None:
                raise validation.unknown_gallery(name)
        return self.gallery(name)

    def _delete_gallery(self, name: str, *, by: Origin | None = None) -> Erased:
        kept = validation.normalise_gallery(name)
        (counts,) = self._server.write(script("erase", kept, note=self._steps.note(kept, Event("erased"), by)))
        if counts is not None and not isinstance(kept, StagingName):
            self._server.write(("ZADD", AUDITS, 0, kept))
        self._server.write(("ZREM", INDEX, kept))  # only now: what could not be erased stays listed
        (made_meanwhile,) = self._server.read(("EXISTS", Keys.of(kept).gallery))
        if made_meanwhile and not isinstance(kept, StagingName):
            self._server.write(("ZADD", INDEX, 0, kept))
        if counts is None:
            raise validation.unknown_gallery(name)
        self._damage.forget(kept)
        people, samples, crops, counters, cohort = counts
        return Erased(people, samples - counters, 0, crops, counters, cohort)

    def version(self, gallery: str) -> int:
        hash_key = Keys.of(validation.normalise_gallery(gallery)).gallery
        ((version, words),) = self._server.read(("HMGET", hash_key, "version", "encryption"))
        cipher_of(self._keys, words)
        if version is None:
            raise validation.unknown_gallery(gallery)
        return int(version)

    def standing(self, gallery: str) -> Standing:
        return data_loss.standing(self._server, gallery, self._keys)

    def lose(self, gallery: str, version: int) -> None:
        data_loss.lose(self._server, gallery, version)

    def accept(self, gallery: str, version: int = 0) -> Standing:
        return data_loss.accept(self._server, gallery, version, self._keys)
