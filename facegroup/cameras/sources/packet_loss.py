"""A file's packets, in the order in which they are stored → whether some of it was left out on the way.

FFmpeg goes on behind what it cannot read of a Matroska file, and says so to nobody. Packets lie side by side there, so bytes
between two of them that belong to none tell.
"""

from typing import Any

import av

_BETWEEN = 200  # bytes that a file's own structure takes between two packets, at most
_CHECKED = "matroska"  # of other formats damage shows in the packets themselves, or they have indexes in between


class PacketLossDetector:
    """Looks for them in one file.

    Args:
        name: FFmpeg's, of the format.
    """

    def __init__(self, name: str) -> None:
        self._checked = _CHECKED in name
        self._at = self._end = 0

    def before(self, packet: "av.Packet[Any]") -> bool:
        """Whether there is one before a packet, of any track, after the last packet that was asked about."""
        if not self._checked or packet.pos is None or not packet.size:
            return False
        known, beyond = self._end, packet.pos - self._end
        # Packets that lie in one block have one position.
        self._end = self._end + packet.size if packet.pos == self._at else packet.pos + packet.size
        self._at = packet.pos
        return known > 0 and beyond > _BETWEEN
