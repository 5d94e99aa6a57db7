"""Where a firm is listened to, and how each source fares."""

from collections.abc import Sequence

from fastapi import APIRouter, status
from sqlalchemy import Connection, RowMapping

from api.auth import Edit, Read, Shown
from api.schemas import Source, SourceChange, SourceIn
from api.services import Given
from ingest import sources_store
from vigie import db
from vigie.access import Principal
from vigie.errors import NotFoundError

router = APIRouter(prefix="/companies/{company_id}/sources", tags=["sources"])


@router.get("", response_model=list[Source])
def list_sources(firm: Read, given: Given) -> Sequence[RowMapping]:
    """A firm's sources with their health."""
    with db.reading(given.engine) as connection:
        return sources_store.of_company(connection, firm["id"])


@router.post("", response_model=Source, status_code=status.HTTP_201_CREATED)
def create_source(values: SourceIn, firm: Edit, given: Given, principal: Shown) -> RowMapping:
    """Listen there from now on."""
    with db.writing(given.engine) as connection:
        source_id = sources_store.add(
            connection, firm["id"], **values.model_dump(), vault=given.vault, by_host=_is_host(principal)
        )
        return sources_store.get(connection, source_id)


@router.patch("/{source_id}", response_model=Source)
def change_source(source_id: str, values: SourceChange, firm: Edit, given: Given, principal: Shown) -> RowMapping:
    """Change the fields that are sent; `paused` stops and resumes."""
    with db.writing(given.engine) as connection:
        _owned(connection, firm, source_id)
        changes = values.model_dump(exclude_unset=True)
        sources_store.change(connection, source_id, changes, given.vault, by_host=_is_host(principal))
        return sources_store.get(connection, source_id)


@router.delete("/{source_id}", status_code=status.HTTP_204_NO_CONTENT)
def remove_source(source_id: str, firm: Edit, given: Given, with_mentions: bool = False) -> None:
    """Stop listening there; its mentions are kept unless `with_mentions`."""
    with db.writing(given.engine) as connection:
        _owned(connection, firm, source_id)
        sources_store.remove(connection, source_id, with_mentions=with_mentions)


def _is_host(principal: Principal) -> bool:
    """Return whether the key is one of the whole installation that may administer it."""
    return principal.may("admin", None)


def _owned(connection: Connection, firm: RowMapping, source_id: str) -> RowMapping:
    row = sources_store.get(connection, source_id)
    if row["company_id"] != firm["id"]:
        raise NotFoundError(f"there is no source {source_id!r}")
    return row
