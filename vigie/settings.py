"""Settings: read once, from VIGIE_* variables or a `vigie.toml`. Embedded by default."""

import ipaddress
import os
import re
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from vigie.errors import SettingsError

HIDDEN = "********"
_SECRET_OPTION = re.compile(r"([^&=]*(?:password|passwd|secret|token|credential|key)[^&=]*=)[^&]*", re.I)
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def _names(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _days(value: Any) -> Any:
    """`30`, `"30"` and `"30 days"` all mean thirty days."""
    words = str(value).split()
    if words and words[0].isdigit() and words[1:] in ([], ["day"], ["days"]):
        return timedelta(days=int(words[0]))
    return value


class Settings(BaseSettings):
    """Frozen; `load()` makes the one instance that a process uses."""

    model_config = SettingsConfigDict(
        env_prefix="VIGIE_", toml_file="vigie.toml", frozen=True, extra="ignore", env_ignore_empty=True
    )

    data_dir: Path = Field(Path("vigie-data"), description="everything that the embedded default writes")
    database_url: str | None = Field(None, description="SQLite in the data folder, or postgresql://…")
    log_url: str | None = Field(
        None, description="embedded log in the data folder, or kafka://host:port,host:port[?option=value]"
    )
    smtp_url: str | None = Field(
        None, description=".eml files in the data folder, or smtp://user:password@host:587, smtps://…"
    )
    base_url: str = Field("http://127.0.0.1:8000", description="the address in mails and links")
    secret_key: str | None = Field(
        None,
        description="encrypts secrets at rest, signs links; 32 random characters, made in the data folder if not set",
    )
    mail_from: str | None = Field(None, description="sender of mails")
    log_retention: Annotated[timedelta, BeforeValidator(_days)] = Field(
        timedelta(days=30), description="how long the log keeps what it carried"
    )
    publish_alerts: bool = Field(
        default=False, description="append each alert to the log's topic `alerts`, for other programs (docs/kafka.md)"
    )
    metrics_address: str | None = Field(
        None, description="host:port on which a role without pages answers /metrics and /health"
    )
    rate_limit: int = Field(12_000, ge=1, description="requests of the API a minute, for each key and process")
    log_level: str = Field(
        "info", pattern=r"^(debug|info|warning|error)$", description="the least level of log lines that are written"
    )
    log_format: str = Field("logfmt", pattern=r"^(logfmt|json)$", description="how a log line is written")
    database_pool: int = Field(
        9, ge=2, le=200, description="connections to PostgreSQL that a process may hold: ten processes need 90"
    )
    parsers: int = Field(1, ge=1, le=16, description="child processes that parse mails, pages and files")
    sentiment_engine: str = Field(
        "learned",
        pattern=r"^(learned|lexicon|published|onnx:.+)$",
        description="learned, lexicon, published (VADER for English, textblob-fr for French), or onnx:FOLDER",
    )
    lexicon_dir: Path | None = Field(
        None, description="a folder with words of your own per theme: themes_fr.toml, restaurant.toml …"
    )
    allow_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        (),
        description="private hosts, host:port pairs or CIDRs that outgoing requests may reach all the same",
    )

    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        ("127.0.0.1", "::1"),
        description="addresses or CIDRs of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def database(self) -> str:
        """The database's address; an embedded one lies in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'vigie.db'}"

    @property
    def log(self) -> str:
        """The log's address; an embedded one lies in the data folder."""
        return self.log_url or f"sqlite:///{self.data_dir / 'log.db'}"

    @property
    def outbox_dir(self) -> Path:
        """Where mails are written while no mail server is named."""
        return self.data_dir / "mails"

    @property
    def is_loopback(self) -> bool:
        """Whether the address in links opens on this machine only."""
        return urlsplit(self.base_url).hostname in LOOPBACK

    @property
    def is_https(self) -> bool:
        """Whether people open the pages by https."""
        return self.base_url.startswith("https:")

    def secret(self) -> str:
        """The secret key; made on first use in the data folder, readable by its owner only."""
        if self.secret_key:
            return self.secret_key
        path = self.data_dir / "secret.key"
        try:
            secret = path.read_text().strip()
        except FileNotFoundError:
            return _make_secret(path)
        from vigie.secrets import check_strength

        check_strength(secret, str(path))
        return secret

    def servers(self) -> dict[str, str]:
        """Return the addresses of database, log and mail server, without accounts, passwords and options."""
        addresses = {"database": self.database, "log": self.log, "mail": self.smtp_url or str(self.outbox_dir)}
        return {name: _without_account(url) for name, url in addresses.items()}

    def described(self) -> dict[str, tuple[str, str]]:
        """Each setting's variable with its value, secrets hidden, and its meaning."""
        return {
            f"VIGIE_{name.upper()}": (_hidden(name, getattr(self, name)), field.description or "")
            for name, field in type(self).model_fields.items()
        }


def load(**overrides: Any) -> Settings:
    """Read the settings; an unusable one raises `SettingsError` naming its variable."""
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"VIGIE_{name}: {first['msg']}") from error
    for name in ("database_url", "log_url"):
        scheme = (getattr(settings, name) or "").partition(":")[0]
        allowed = {"database_url": ("", "sqlite", "postgresql"), "log_url": ("", "sqlite", "kafka")}[name]
        if scheme not in allowed:
            raise SettingsError(f"VIGIE_{name.upper()}: {scheme or 'it'}:// is not one of {', '.join(allowed[1:])}")
    _check_base_url(settings.base_url)
    _check_smtp_url(settings.smtp_url)
    for entry in settings.trusted_proxies:
        try:
            ipaddress.ip_network(entry, strict=False)
        except ValueError as error:
            raise SettingsError(f"VIGIE_TRUSTED_PROXIES: {entry!r} is neither an address nor a CIDR") from error
    if settings.secret_key:
        from vigie.secrets import check_strength  # cryptography takes 40 ms to import

        check_strength(settings.secret_key)
    return settings


def _check_smtp_url(smtp_url: str | None) -> None:
    if smtp_url is None:
        return
    try:
        parts = urlsplit(smtp_url)
        is_usable = parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise SettingsError("VIGIE_SMTP_URL: it is written smtp://user:password@host:587, or smtps://…")


def _check_base_url(base_url: str) -> None:
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError("VIGIE_BASE_URL: it is written https://avis.example.fr")
    if parts.path.strip("/") or parts.query:
        raise SettingsError(
            "VIGIE_BASE_URL: Vigie needs a host name of its own, such as https://avis.example.fr, "
            "not a path below another site"
        )


def _make_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = secrets.token_urlsafe(32)
    # Written aside and linked into place: two processes that start together end with the same key.
    aside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made)
        os.link(aside, path)
    except FileExistsError:
        return path.read_text().strip()
    finally:
        aside.unlink(missing_ok=True)
    return made


def _hidden(name: str, value: object) -> str:
    if value in (None, (), ""):
        return "(not set)"
    if name == "secret_key":
        return HIDDEN
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return _hide_credentials(text) if name.endswith("_url") else text


def _without_account(url: str) -> str:
    scheme, mark, rest = url.partition("?")[0].partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def _hide_credentials(url: str) -> str:
    """Return the address with its password, and with every option that names a secret, replaced by asterisks."""
    address, mark, query = url.partition("?")
    before, at, host = address.rpartition("@")
    account, colon, password = before.removeprefix(f"{before.partition('//')[0]}//").partition(":")
    if at and password:
        address = f"{before.partition('//')[0]}//{account}{colon}{HIDDEN}{at}{host}"
    return address + mark + _SECRET_OPTION.sub(rf"\g<1>{HIDDEN}", query)
