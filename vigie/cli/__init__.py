"""The command line, and the one place where everything is wired.

Rooms are imported inside each command, so that `vigie --help` stays instant.
"""

import os
import sys

import typer

from vigie.cli import (
    companies,
    doctor,
    hosting,
    mails,
    operations,
    roles,
    rules,
    sources,
    stores,
    texts,
    users,
    webhooks,
)
from vigie.private_files import UMASK

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Listen to what customers say: reviews and mentions, collected, understood, shown, alerted and mailed.",
)
for part in (roles, companies, users, sources, mails, rules, webhooks, operations, doctor, stores, hosting, texts):
    part.add_to(app)


def main() -> None:
    """Run a command; what goes wrong is one line, unless --debug asks for more."""
    os.umask(UMASK)
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments, standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        _explain(error)


def _explain(error: Exception) -> None:
    from vigie.errors import VigieError

    if isinstance(error, VigieError):
        print(f"vigie: {error}", file=sys.stderr)  # noqa: T201 # this is what the user reads
    else:
        print(f"vigie: {type(error).__name__}: {error} (--debug tells more)", file=sys.stderr)  # noqa: T201
    sys.exit(1)
