"""A clock of the tests' own."""


class Times:
    """Two clocks that go only when they are told: one that never goes back, and the time of day."""

    def __init__(self) -> None:
        self.ran = 0.0
        self.day = 1_800_000_000.0

    def clock(self) -> float:
        return self.ran

    def wall(self) -> float:
        return self.day

    def pass_by(self, seconds: float) -> None:
        self.ran += seconds
        self.day += seconds
