"""What stops a launch, in words for the person at the terminal."""


class LaunchError(Exception):
    """The installation cannot start; the message says why and how to mend it."""
