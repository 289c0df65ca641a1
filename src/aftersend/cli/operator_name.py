"""Who gives a command: the name that the audit trail keeps."""

import getpass

__all__ = ["operator_name"]


def operator_name() -> str:
    """Name the system's user at the command line, e.g. ``cli:ann``."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        # A container may run under a number that nobody has named.
        return "cli"
