"""The command `aftersend`."""

import os
import sys

from aftersend.errors import AftersendError

__all__ = ["main"]


def main() -> None:
    """Run one command; exit 0 when done, 1 when it could not be done, 2 on wrong usage."""
    from aftersend.cli.main import root

    try:
        root()
    except AftersendError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Who read us has gone, e.g. `| head`; closing quietly is what people expect.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if os.environ.get("AFTERSEND_DEBUG"):
            raise
        _fail(
            f"Something went wrong that should not: {type(error).__name__}: {error}"
            " (AFTERSEND_DEBUG=1 shows where)."
        )


def _fail(sentence: str) -> None:
    sys.stderr.write(f"aftersend: {sentence}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
