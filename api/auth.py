"""Bearer keys. A key sees its own firm; another's does not exist for it."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import RowMapping

from api.errors import ForbiddenError, UnauthenticatedError
from api.services import Given
from vigie import access, companies, db
from vigie.access import Principal, Role
from vigie.errors import NotFoundError

_bearer = HTTPBearer(auto_error=False, description="a key made by `vigie token create`")


def principal(
    request: Request, given: Given, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """Whose key this is."""
    if shown is None:
        raise UnauthenticatedError("send a key: Authorization: Bearer vigie_…")
    with db.reading(given.engine) as connection:
        found = access.authenticate(connection, shown.credentials, "key")
    if found is None:
        raise UnauthenticatedError("this key is not valid, or no longer")
    _check_scope(request, found)
    request.state.who = found
    return found


def _check_scope(request: Request, who: Principal) -> None:
    """A part of the API is what its routes are tagged with."""
    part = set(getattr(request.scope.get("route"), "tags", ()))
    if who.scopes is not None and not part & who.scopes:
        raise ForbiddenError(f"this key is for {', '.join(sorted(who.scopes))} only")


Shown = Annotated[Principal, Depends(principal)]


def _firm(role: Role):  # type: ignore[no-untyped-def] # a dependency: FastAPI reads the inner function's types
    def firm(company_id: str, given: Given, who: Shown) -> RowMapping:
        if not who.may("reader", company_id):
            raise NotFoundError(f"there is no firm {company_id!r}")
        if not who.may(role, company_id):
            raise ForbiddenError(f"this key may not do that: it is a {who.role}'s")
        with db.reading(given.engine) as connection:
            return companies.get(connection, company_id)

    return firm


def administrator(who: Shown) -> Principal:
    """Somebody who runs the whole installation."""
    if not who.may("admin", None):
        raise ForbiddenError("this key belongs to one firm")
    return who


Read = Annotated[RowMapping, Depends(_firm("reader"))]
Edit = Annotated[RowMapping, Depends(_firm("editor"))]
Manage = Annotated[RowMapping, Depends(_firm("admin"))]
Administrator = Annotated[Principal, Depends(administrator)]
