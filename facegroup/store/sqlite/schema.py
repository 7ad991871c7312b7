"""The tables of a file of galleries, and the statements that bring a file of one schema to the next.

A new file goes through all of them, an older one through those it lacks, in one transaction: it is of the old schema or of
the new, and its rows stay.
"""

import sqlite3

TABLES = (
    """CREATE TABLE galleries (
        key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, network TEXT NOT NULL, dimension INTEGER NOT NULL,
        threshold REAL NOT NULL, keep_crops INTEGER NOT NULL, version INTEGER NOT NULL, born INTEGER NOT NULL,
        created_at REAL NOT NULL)""",
    """CREATE TABLE people (
        key INTEGER PRIMARY KEY, gallery INTEGER NOT NULL REFERENCES galleries ON DELETE CASCADE, id TEXT NOT NULL,
        name TEXT NOT NULL, metadata TEXT NOT NULL, samples INTEGER NOT NULL, created_at REAL NOT NULL,
        updated_at REAL NOT NULL, centroid BLOB, UNIQUE (gallery, id))""",
    "CREATE INDEX people_by_name ON people (gallery, name, id)",
    """CREATE TABLE samples (
        key INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE, id TEXT NOT NULL,
        created_at REAL NOT NULL, descriptor BLOB NOT NULL, crop BLOB, UNIQUE (person, id))""",
    # The last change of each person: as much of a log as catching up needs.
    """CREATE TABLE changes (
        gallery INTEGER NOT NULL REFERENCES galleries ON DELETE CASCADE, person TEXT NOT NULL, version INTEGER NOT NULL,
        PRIMARY KEY (gallery, person)) WITHOUT ROWID""",
    "CREATE INDEX changes_by_version ON changes (gallery, version)",
    "CREATE TABLE erased (version INTEGER NOT NULL)",
    "INSERT INTO erased VALUES (0)",
)
"""Of schema 1, which every new file begins with."""

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
    5: (
        "ALTER TABLE galleries ADD COLUMN decision TEXT NOT NULL DEFAULT 'cosine'",
        "ALTER TABLE galleries ADD COLUMN liveness TEXT NOT NULL DEFAULT 'off'",
        "ALTER TABLE galleries ADD COLUMN detector TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE galleries ADD COLUMN fingerprint TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE samples ADD COLUMN detector TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE galleries ADD COLUMN cohort_version INTEGER NOT NULL DEFAULT 0",
        """CREATE TABLE cohort (
            key INTEGER PRIMARY KEY, gallery INTEGER NOT NULL REFERENCES galleries ON DELETE CASCADE, id TEXT NOT NULL,
            created_at REAL NOT NULL, descriptor BLOB NOT NULL, source TEXT NOT NULL, detector TEXT NOT NULL,
            UNIQUE (gallery, id))""",
    ),
    # Which keys the values are under: facegroup.store.encryption.
    6: ("CREATE TABLE encryption (words TEXT NOT NULL)", "INSERT INTO encryption VALUES ('')"),
    7: (
        "ALTER TABLE audit ADD COLUMN address TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE audit ADD COLUMN result TEXT NOT NULL DEFAULT 'done'",
        # 0 and nothing: of before the chain, which begins after them.
        "ALTER TABLE audit ADD COLUMN number INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE audit ADD COLUMN previous BLOB NOT NULL DEFAULT x''",
        "ALTER TABLE audit ADD COLUMN hash BLOB NOT NULL DEFAULT x''",
        """CREATE TABLE chains (
            gallery TEXT PRIMARY KEY, number INTEGER NOT NULL, hash BLOB NOT NULL, older INTEGER NOT NULL,
            anchor_id INTEGER NOT NULL, anchor_number INTEGER NOT NULL, anchor_hash BLOB NOT NULL) WITHOUT ROWID""",
    ),
}
"""By the schema that they lead to."""

SCHEMA = max(UPGRADES)
"""Of the files that this version writes."""


def upgrade(connection: sqlite3.Connection, found: int, wanted: int) -> None:
    """Bring the tables from schema `found` to `wanted`, in the transaction that is open."""
    for version in range(found + 1, wanted + 1):
        for statement in UPGRADES.get(version, ()):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {wanted}")
