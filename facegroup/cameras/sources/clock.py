"""When things happen in a source.

`Clock` turns time stamps that jump, stop or are missing into a position that only grows, `Schedule` says which moments are
due.
"""

JUMP = 10.0
"""Seconds between two frames beyond which a time stamp is not believed."""

SETTLED = 60.0
"""Seconds for which a schedule that was moved stays as it is: so at most one frame a minute is more than was asked for."""


class Clock:
    """Positions of frames, in seconds since the first, from their own time stamps.

    A stamp that is missing, goes back, or is more than `JUMP` seconds on is taken for one frame after the last; from there
    on stamps count again.

    Args:
        interval: seconds between two frames, as far as the source says.
        start: position of the first frame.
        until: position up to which stamps are believed however far on they are: a file's pauses are its own.
    """

    def __init__(self, interval: float, start: float = 0.0, until: float = 0.0) -> None:
        self._interval = interval
        self._until = until
        self._shift: float | None = None
        self._next = start
        self._last: float | None = None

    @property
    def unused(self) -> bool:
        """Whether there was no frame yet."""
        return self._last is None

    def position(self, stamp: float | None) -> float:
        """Return the position of the next frame, in the order in which frames are shown."""
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
        """Whether a frame may be there, after the last."""
        return self._last is None or self._last <= position <= max(self._last + JUMP, self._until)

    def guess(self, stamp: float | None) -> float:
        """Return where a frame would be whose turn has not come: frames are not stored in the order of showing."""
        return self._next if stamp is None or self._shift is None else stamp + self._shift


class Schedule:
    """Moments that are due, so many a second at most, and on average exactly so many where frames come faster.

    Args:
        fps: of them.
    """

    def __init__(self, fps: float) -> None:
        self._step = 1.0 / fps
        self._next: float | None = None
        self._favoured = -SETTLED

    def due(self, moment: float) -> bool:
        """Whether a frame at this moment, in seconds, is wanted."""
        return self._next is None or moment >= self._next - 1e-3 or moment < self._next - 2 * self._step

    def take(self, moment: float) -> None:
        """Say that the frame of this moment was."""
        late = self._next is None or abs(moment - self._next) > self._step
        self._next = (moment if late or self._next is None else self._next) + self._step

    def favour(self, moment: float) -> None:
        """Say that frames are cheap a little after this moment, as they are after key frames.

        Moments that are due are moved there, by making one come sooner, once in so many seconds.
        """
        wanted = moment + self._step / 10
        if self._next is None or not self._step / 5 < self._next - wanted < self._step:
            return
        if not 0 <= moment - self._favoured < SETTLED:
            self._next, self._favoured = wanted, moment
