"""What the routes work with, wired once by whoever makes the app."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from ingest.collect import Intake
from vigie.installation import Figures
from vigie.log import EventLog
from vigie.secrets import Vault
from vigie.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """The database, the log, the settings of this process, where mentions enter the log, and figures for Prometheus."""

    engine: Engine
    log: EventLog
    settings: Settings
    vault: Vault
    intake: Intake
    figures: Figures = field(default_factory=Figures)


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


Given = Annotated[Services, Depends(services)]
