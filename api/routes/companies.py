"""Firms and their places."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, status
from sqlalchemy import RowMapping

from api.auth import Administrator, Edit, Manage, Read, Shown
from api.schemas import Company, CompanyChange, CompanyIn, Location, LocationChange, LocationIn
from api.services import Given
from vigie import companies, db
from vigie.errors import InvalidInputError

router = APIRouter(tags=["companies"])


@router.get("/companies", response_model=list[Company])
def list_companies(given: Given, who: Shown) -> Sequence[RowMapping]:
    """The firms that the key may see."""
    with db.reading(given.engine) as connection:
        return [row for row in companies.every(connection) if who.may("reader", row["id"])]


@router.post("/companies", response_model=Company, status_code=status.HTTP_201_CREATED)
def create_company(values: CompanyIn, given: Given, who: Administrator) -> RowMapping:
    """A new firm."""
    with db.writing(given.engine) as connection:
        return companies.get(connection, companies.add(connection, **values.model_dump()))


@router.get("/companies/{company_id}", response_model=Company)
def show_company(firm: Read) -> RowMapping:
    """One firm."""
    return firm


@router.patch("/companies/{company_id}", response_model=Company)
def change_company(values: CompanyChange, firm: Edit, given: Given) -> RowMapping:
    """Change the fields that are sent."""
    with db.writing(given.engine) as connection:
        companies.change(connection, firm["id"], values.model_dump(exclude_unset=True))
        return companies.get(connection, firm["id"])


@router.delete("/companies/{company_id}", status_code=status.HTTP_204_NO_CONTENT)
def remove_company(firm: Manage, given: Given) -> None:
    """Remove a firm and all that belongs to it."""
    with db.writing(given.engine) as connection:
        companies.remove(connection, firm["id"])


@router.get("/companies/{company_id}/locations", response_model=list[Location])
def list_locations(firm: Read, given: Given) -> Sequence[RowMapping]:
    """A firm's places."""
    with db.reading(given.engine) as connection:
        return companies.locations(connection, firm["id"])


@router.patch("/companies/{company_id}/locations/{location_id}", response_model=Location)
def change_location(location_id: str, values: LocationChange, firm: Edit, given: Given) -> RowMapping:
    """Change the fields that are sent."""
    changed = values.model_dump(exclude_unset=True)
    if changed.get("name", ...) is None:
        raise InvalidInputError("name cannot be null")
    with db.writing(given.engine) as connection:
        return companies.change_location(connection, firm["id"], location_id, changed)


@router.delete("/companies/{company_id}/locations/{location_id}", status_code=status.HTTP_204_NO_CONTENT)
def remove_location(location_id: str, firm: Edit, given: Given) -> None:
    """Its mentions and sources stay, without a place."""
    with db.writing(given.engine) as connection:
        companies.remove_location(connection, firm["id"], location_id)


@router.post("/companies/{company_id}/locations", response_model=Location, status_code=status.HTTP_201_CREATED)
def create_location(values: LocationIn, firm: Edit, given: Given) -> dict[str, Any]:
    """A new place of a firm."""
    with db.writing(given.engine) as connection:
        return {"id": companies.add_location(connection, firm["id"], values.name, values.city), **values.model_dump()}
