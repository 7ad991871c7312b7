"""The time of a source: `Clock` gives frames a position that only grows, `Schedule` says which of them are due."""

JUMP = 10.0
"""Seconds between two frames beyond which a time stamp is not believed."""

SETTLED = 60.0
"""Seconds for which a schedule that was moved stays as it is: so at most one frame a minute is more than was asked for."""


class Clock:
    """Class that turns time stamps into positions: seconds since the first frame.

    A frame whose stamp is missing, goes back, or jumps by more than `JUMP` seconds is placed one interval after the last.
    From there on stamps count again.

    Args:
        interval: seconds between two frames, as the source says.
        start: position of the first frame.
        until: position up to which stamps are believed, even if they jump ahead: a file may have pauses.
    """

    def __init__(self, interval: float, start: float = 0.0, until: float = 0.0) -> None:
        self._interval = interval
        self._until = until
        self._shift: float | None = None
        self._next = start
        self._last: float | None = None

    @property
    def unused(self) -> bool:
        """True before the first frame."""
        return self._last is None

    def position(self, stamp: float | None) -> float:
        """Return the position of the next frame in the order of display."""
        if stamp is not None and self._shift is None:
            self._shift = self._next - stamp
        position = self.guess(stamp)
        if not self.believes(position):
            position = self._next
            if stamp is not None:
                self._shift = position - stamp
        self._last = position
        self._next = position + self._interval
        return position

    def believes(self, position: float) -> bool:
        """Return whether the next frame may have this position."""
        return self._last is None or self._last <= position <= max(self._last + JUMP, self._until)

    def guess(self, stamp: float | None) -> float:
        """Return the position of a frame before its turn: frames are not stored in the order of display."""
        return self._next if stamp is None or self._shift is None else stamp + self._shift


class Schedule:
    """Class that picks the frames to analyse: at most `fps` a second, and exactly that on average if frames come faster.

    Args:
        fps: frames a second.
    """

    def __init__(self, fps: float) -> None:
        self._step = 1.0 / fps
        self._next: float | None = None
        self._favoured = -SETTLED

    def due(self, moment: float) -> bool:
        """Return whether a frame at this moment (seconds) is to be analysed."""
        return self._next is None or moment >= self._next - 1e-3 or moment < self._next - 2 * self._step

    def take(self, moment: float) -> None:
        """Note that the frame of this moment is analysed."""
        late = self._next is None or abs(moment - self._next) > self._step
        self._next = (moment if late or self._next is None else self._next) + self._step

    def favour(self, moment: float) -> None:
        """Note that frames are cheap to decode a little after this moment, as they are after key frames.

        Due moments are moved there, by making one come sooner, at most once in `SETTLED` seconds.
        """
        wanted = moment + self._step / 10
        if self._next is None or not self._step / 5 < self._next - wanted < self._step:
            return
        if not 0 <= moment - self._favoured < SETTLED:
            self._next, self._favoured = wanted, moment
