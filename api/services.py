"""What the routes work with, wired once by whoever makes the app."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from ingest.collect import Intake
from vigie.log import EventLog
from vigie.secrets import Vault
from vigie.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """The database, the log, and the settings of this process."""

    engine: Engine
    log: EventLog
    settings: Settings
    vault: Vault

    @property
    def intake(self) -> Intake:
        """Where mentions enter the log."""
        return Intake(self.engine, self.log, self.settings.secret())


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


Given = Annotated[Services, Depends(services)]
