"""The statements that bring a file of one schema to the next.

A new file goes through all of them, an older one through those it lacks, in one transaction: it is of the old schema or of
the new, and its rows stay.
"""

import sqlite3

UPGRADES: dict[int, tuple[str, ...]] = {
    2: (
        "ALTER TABLE people ADD COLUMN expires_at REAL",
        "CREATE INDEX people_by_expiry ON people (gallery, expires_at) WHERE expires_at NOTNULL",
        # Without a reference to the gallery: the log outlives it.
        """CREATE TABLE audit (
            key INTEGER PRIMARY KEY AUTOINCREMENT, gallery TEXT NOT NULL, at REAL NOT NULL, what TEXT NOT NULL,
            person TEXT NOT NULL, detail TEXT NOT NULL, actor TEXT NOT NULL, request TEXT NOT NULL)""",
        "CREATE INDEX audit_by_gallery ON audit (gallery, key)",
        """CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
        """CREATE TABLE requests (
            gallery INTEGER NOT NULL REFERENCES galleries ON DELETE CASCADE, key TEXT NOT NULL, at REAL NOT NULL,
            version INTEGER NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (gallery, key)) WITHOUT ROWID""",
        "CREATE INDEX requests_by_date ON requests (at)",
    ),
    3: (
        "ALTER TABLE galleries ADD COLUMN quality TEXT NOT NULL DEFAULT 'off'",
        "ALTER TABLE galleries ADD COLUMN probe_quality TEXT NOT NULL DEFAULT 'off'",
        "ALTER TABLE galleries ADD COLUMN calibration TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE samples ADD COLUMN counter INTEGER NOT NULL DEFAULT 0",
        # How many of them, and their descriptors one after the other: what matching reads, made of the samples.
        "ALTER TABLE people ADD COLUMN counters INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE people ADD COLUMN counter_rows BLOB",
    ),
    4: ('ALTER TABLE galleries ADD COLUMN "unique" INTEGER NOT NULL DEFAULT 1',),
}
"""By the schema that they lead to."""


def upgrade(connection: sqlite3.Connection, found: int, wanted: int) -> None:
    """Bring the tables from schema `found` to `wanted`, in the transaction that is open."""
    for version in range(found + 1, wanted + 1):
        for statement in UPGRADES.get(version, ()):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {wanted}")
