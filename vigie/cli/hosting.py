"""`vigie host setup`: five questions, and the files that a machine needs to run Vigie for good."""

import re
import secrets
import shutil
import sys
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from vigie.cli.house import say, tell
from vigie.cli.secret_values import read_value

host = typer.Typer(no_args_is_help=True, help="The machine that Vigie runs on for good: set up.")

_DOMAIN = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.I)
_PATH = re.compile(r"/[\w./-]{0,200}", re.A)
_POSTGRES = """
  postgres:
    image: postgres:17
    restart: unless-stopped
    security_opt: ["no-new-privileges:true"]
    mem_limit: 1g
    environment:
      POSTGRES_USER: vigie
      POSTGRES_PASSWORD: {password}
      POSTGRES_DB: vigie
    volumes:
      - postgres-data:/var/lib/postgresql/data
    healthcheck:
      test: ["CMD", "pg_isready", "-U", "vigie"]
      interval: 5s
      timeout: 5s
      retries: 12
"""
_NEEDS_POSTGRES = """    depends_on:
      postgres:
        condition: service_healthy
"""


# The proxy has this address in the network of the containers, so that Vigie believes nobody else.
_PROXY_ADDRESS = "172.30.57.10"
_SECRET = {"vigie.env", "compose.yaml"}  # they hold passwords


class _File(Template):
    """A file in which `@domain` stands for an answer; `$` is the shell's."""

    delimiter = "@"


class Way(StrEnum):
    compose = "compose"
    systemd = "systemd"


def add_to(app: typer.Typer) -> None:
    app.add_typer(host, name="host")


@host.callback()
def _about() -> None:
    """So that `setup` stays a command of its own."""


@host.command("setup")
def setup(
    folder: Annotated[Path, typer.Argument(help="where to write the files")],
    domain: Annotated[str, typer.Option(prompt="Domain (it must lead to this machine)")],
    mail: Annotated[
        str,
        typer.Option(
            prompt="Mail account, such as smtps://name:password@smtp.example.fr",
            help="the mail account; - asks for it and @FILE reads it, and nothing stands in the history",
        ),
    ],
    admin: Annotated[str, typer.Option(prompt="Administrator's e-mail address")],
    backup: Annotated[str, typer.Option(prompt="Folder for the backups, such as /srv/backups")],
    firms: Annotated[str, typer.Option(prompt="One firm or many")] = "one",
    way: Annotated[Way, typer.Option(help="containers, or units for a machine without")] = Way.compose,
) -> None:
    """Write what a machine needs: a TLS proxy, Vigie, a backup each night that is read back.

    `many` firms on containers come with PostgreSQL. Nothing is overwritten and nothing is started.
    Example: vigie host setup /etc/vigie --way systemd
    """
    mail = read_value("mail", mail.strip())
    values = _values(domain.strip(), mail, admin.strip(), backup.strip(), firms.strip().lower(), way)
    written = _rendered(way, values)
    _refuse_what_is_there(folder, written)
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o755)  # the service users read it; passwords have a mode of their own
    for name, text in written.items():
        path = folder / name
        path.touch(0o600)
        path.chmod(0o600 if name in _SECRET else 0o644)
        path.write_text(text, encoding="utf-8")
        say(str(path))
    tell(_NEXT[way].format(folder=folder, admin=admin.strip(), **values))


_NEXT = {
    Way.compose: """Then, with the image built from the source (docker build -t vigie .), in {folder}:
  docker run --rm --user root --entrypoint chown -v {backup}:/backups vigie vigie /backups
  docker compose up -d
  docker compose exec vigie vigie user add {admin} --role admin --invite
Keep the VIGIE_SECRET_KEY of vigie.env elsewhere too: a backup does not hold it.""",
    Way.systemd: """Then, as root, with a user `vigie` and Caddy installed:
  cp {folder}/*.service {folder}/*.timer /etc/systemd/system/ && cp {folder}/Caddyfile /etc/caddy/
  install -d -o vigie -m 0700 {backup}
  mkdir -p /etc/vigie && cp {folder}/vigie.env {folder}/backup.sh /etc/vigie/
  systemctl daemon-reload && systemctl enable --now vigie vigie-backup.timer && systemctl reload caddy
  systemd-run --pipe --wait -p User=vigie -p EnvironmentFile=/etc/vigie/vigie.env \\
    {vigie} user add {admin} --role admin --invite
Keep the VIGIE_SECRET_KEY of vigie.env elsewhere too: a backup does not hold it.""",
}


def _values(domain: str, mail: str, admin: str, backup: str, firms: str, way: Way) -> dict[str, str]:
    """What the files say. Raises `InvalidInputError` for the first answer that cannot be used."""
    from vigie import companies
    from vigie.errors import InvalidInputError

    if not _DOMAIN.fullmatch(domain):
        raise InvalidInputError(f"{domain!r} is not a domain, such as avis.example.fr")
    parts = urlsplit(mail)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or any(letter in mail for letter in " \n'\"$"):
        raise InvalidInputError("the mail account is written smtps://name:password@host (signs in %41 form)")
    if not _PATH.fullmatch(backup):
        raise InvalidInputError(f"{backup!r} is not the whole path of a folder")
    if firms not in {"one", "many"}:
        raise InvalidInputError("say one or many")
    companies.check_email(admin)
    has_postgres = firms == "many" and way == Way.compose
    account = unquote(parts.username or "")
    password = secrets.token_urlsafe(24)
    vigie = shutil.which("vigie") or str(Path(sys.executable).parent / "vigie")
    return {
        "domain": domain.lower(),
        "smtp_url": mail,
        "mail_from": account if "@" in account else f"vigie@{domain.lower()}",
        "proxies": _PROXY_ADDRESS if way == Way.compose else "127.0.0.1",
        "proxy_address": _PROXY_ADDRESS,
        "secret": secrets.token_urlsafe(32),
        "backup": backup,
        "data_dir": "/var/lib/vigie/data" if way == Way.compose else "/var/lib/vigie",
        "database_url": f"postgresql://vigie:{password}@postgres:5432/vigie" if has_postgres else "",
        "database": _POSTGRES.format(password=password) if has_postgres else "",
        "needs": _NEEDS_POSTGRES if has_postgres else "",
        "volumes": "  postgres-data:\n" if has_postgres else "",
        "hardening": files("vigie.cli").joinpath("host_files", "hardening.conf").read_text(encoding="utf-8").strip(),
        "vigie": vigie,
        "folder_of_vigie": str(Path(vigie).parent),
    }


def _rendered(way: Way, values: dict[str, str]) -> dict[str, str]:
    """Each file's name and text."""
    found = {}
    for part in ("both", way.value):
        for path in files("vigie.cli").joinpath("host_files", part).iterdir():
            found[path.name] = _File(path.read_text(encoding="utf-8")).substitute(values)
    return dict(sorted(found.items()))


def _refuse_what_is_there(folder: Path, written: dict[str, str]) -> None:
    from vigie.errors import InvalidInputError

    if there := [name for name in written if (folder / name).exists()]:
        raise InvalidInputError(f"{folder / there[0]} is there already: move it away first")
