"""A clock in the place of a module's `time`, for what a busy machine must not decide."""


class Clock:
    """It goes on by what is slept, by what a test adds to `passed`, and by a trace at each look."""

    def __init__(self) -> None:
        self.passed = 0.0  # seconds

    def monotonic(self) -> float:
        self.passed += 1e-6
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
