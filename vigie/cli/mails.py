"""Mails of review platforms, as files."""

from pathlib import Path
from typing import Annotated

import typer

from vigie.cli.house import say

mail = typer.Typer(no_args_is_help=True, help="Mails of review platforms: anonymise")


def add_to(app: typer.Typer) -> None:
    app.add_typer(mail, name="mail")


@mail.callback()
def group() -> None:
    """Keep `anonymise` a subcommand: typer would make the only command of a group the group itself."""


@mail.command("anonymise")
def anonymise_mail(
    file: Annotated[Path, typer.Argument(help="a mail that Vigie does not understand, saved as .eml")],
    out: Annotated[Path | None, typer.Option(help="the file to write; FILE.anonymous.eml if left out")] = None,
) -> None:
    """Write a mail without names, addresses and customers' words, to be sent to the project.

    Example: vigie mail anonymise avis.eml
    """
    from ingest.files.mails import split_mails
    from ingest.mail.anonymise import anonymise
    from vigie.errors import InvalidInputError

    try:
        body = file.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read: {error.strerror}") from error
    mails = list(split_mails(body))
    if len(mails) != 1:
        raise InvalidInputError(f"{file} holds {len(mails)} mails: save one of them as .eml")
    target = out or file.with_suffix(".anonymous.eml")
    target.write_bytes(anonymise(mails[0]))
    say(f"{target} was written: read it before you send it")
