"""The receivers of a journal: webhooks, how far each receiver is, and what it did not take."""

import time
from collections.abc import Sequence
from dataclasses import replace

from facegroup import errors
from facegroup.cameras.journal import documents
from facegroup.cameras.journal.records import HIGHEST, Records, number_key
from facegroup.cameras.sightings.types import DeadLetter, Webhook
from facegroup.store.rows.rows import Drop, Put, Span, Step


class ReceiverRecords(Records):
    """Class that stores receivers; see `facegroup.cameras.sightings.journal.Journal`."""

    def webhooks(self) -> list[Webhook]:
        """See `Journal`."""
        found = self._all("webhooks", lambda document: documents.decode_webhook(document, self._encryption))
        return sorted(found, key=lambda each: each.id)

    def create_webhook(self, webhook: Webhook, limit: int) -> Webhook:
        """See `Journal`."""
        made = replace(webhook, created_at=webhook.created_at or time.time())
        full = errors.TooManyWebhooks(
            f"There are {limit} webhooks already. Remove one, or raise FACEGROUP_CAMERAS__WEBHOOKS."
        )
        exists = errors.WebhookExists(f"There is a webhook {webhook.id!r} already.")
        subscriber = Put("cursors", made.subscriber, self._rows.count("seq"))
        document = documents.encode_webhook(made, self._encryption)
        self._create("webhooks", made.id, made.created_at, document, limit, full, exists, subscriber)
        return made

    def delete_webhook(self, webhook: str) -> None:
        """See `Journal`."""
        subscriber = f"webhook:{webhook}"
        letters = [Drop(f"dead:{subscriber}", row.key) for row in self._pages(f"dead:{subscriber}")]
        missing = errors.UnknownWebhook(f"There is no webhook {webhook!r}.")
        self._delete("webhooks", webhook, missing, Drop("cursors", subscriber), *letters)

    def cursor(self, subscriber: str) -> int | None:
        """See `Journal`."""
        (found,) = self._rows.get("cursors", [subscriber])
        return None if found is None else int(found.score)

    def advance(self, subscriber: str, seq: int, dead: DeadLetter | None = None) -> None:
        """See `Journal`."""
        steps: list[Step] = [Put("cursors", subscriber, seq)]
        if dead is not None:
            number = dead.event.seq
            value = documents.encode(documents.encode_dead_letter(dead))
            steps.append(Put(f"dead:{subscriber}", number_key(number), number, value))
        kind, _, webhook = subscriber.partition(":")
        with self._writing:
            # A delivery that ends while its webhook is removed must not bring the webhook's rows back.
            if kind != "webhook" or self._rows.get("webhooks", [webhook]) != [None]:
                self._apply(steps)

    def dead_letters(self, subscriber: str, after: int = 0, limit: int = 100) -> list[DeadLetter]:
        """See `Journal`."""
        rows = self._rows.page(f"dead:{subscriber}", Span(limit, min(after + 1, HIGHEST)))
        return list(self._read(f"dead:{subscriber}", rows, documents.decode_dead_letter))

    def forget_dead_letters(self, subscriber: str, seqs: Sequence[int]) -> None:
        """See `Journal`."""
        if seqs:
            self._apply([Drop(f"dead:{subscriber}", number_key(seq)) for seq in seqs])
