"""The cameras of a journal."""

import time
from dataclasses import replace
from typing import Any

from facegroup import errors
from facegroup.cameras.journal import documents
from facegroup.cameras.journal.records import Records
from facegroup.cameras.types import Camera
from facegroup.store.rows.rows import Put


class CameraRecords(Records):
    """Class that stores cameras; see `facegroup.cameras.sightings.journal.Journal`."""

    def cameras(self) -> list[Camera]:
        """See `Journal`."""
        found = self._all("cameras", self._decode_camera)
        return sorted(found, key=lambda each: each.id)

    def camera(self, camera: str) -> Camera:
        """See `Journal`."""
        return self._one(
            "cameras", camera, self._decode_camera, errors.UnknownCamera(f"There is no camera {camera!r}.")
        )

    def create_camera(self, camera: Camera, limit: int) -> Camera:
        """See `Journal`."""
        made = replace(camera, created_at=camera.created_at or time.time(), updated_at=time.time())
        full = errors.TooManyCameras(
            f"There are {limit} cameras already. Remove one, or raise FACEGROUP_CAMERAS__LIMIT."
        )
        exists = errors.CameraExists(f"There is a camera {camera.id!r} already.")
        self._create(
            "cameras", made.id, made.created_at, documents.encode_camera(made, self._encryption), limit, full, exists
        )
        return made

    def replace_camera(self, camera: Camera) -> Camera:
        """See `Journal`."""
        with self._writing:
            (row,) = self._rows.get("cameras", [camera.id])
            made = replace(camera, created_at=self.camera(camera.id).created_at, updated_at=time.time())
            document = documents.encode_camera(made, self._encryption)
            if not made.source and row is not None:  # not decrypted: the encrypted source stays for the right key
                document |= documents.decode(documents.source, row.value)
            value = documents.encode(document)
            self._apply([Put("cameras", made.id, made.created_at, value)])
        return made

    def delete_camera(self, camera: str) -> None:
        """See `Journal`."""
        self._delete("cameras", camera, errors.UnknownCamera(f"There is no camera {camera!r}."))

    def _decode_camera(self, document: dict[str, Any]) -> Camera:
        return documents.decode_camera(document, self._encryption)
