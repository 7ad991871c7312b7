"""Detects parts of a file that FFmpeg skipped.

FFmpeg skips what it cannot read of a Matroska file without an error. Packets lie side by side there, so a gap between two
of them shows the loss.
"""

from typing import Any

import av

_BETWEEN = 200  # greatest number of bytes that the file's structure takes between two packets
_CHECKED = "matroska"  # in other formats damage shows in the packets, or indexes lie between them


class PacketLossDetector:
    """Class that detects lost packets in one file.

    Args:
        name: of the format, as FFmpeg calls it.
    """

    def __init__(self, name: str) -> None:
        self._checked = _CHECKED in name
        self._at = self._end = 0

    def before(self, packet: "av.Packet[Any]") -> bool:
        """Return whether bytes were skipped before a packet. Ask once for each packet, of all tracks, in order."""
        if not self._checked or packet.pos is None or not packet.size:
            return False
        known, beyond = self._end, packet.pos - self._end
        # Packets that lie in one block have one position.
        self._end = self._end + packet.size if packet.pos == self._at else packet.pos + packet.size
        self._at = packet.pos
        return known > 0 and beyond > _BETWEEN
