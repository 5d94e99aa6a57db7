"""Alive, ready, and in numbers."""

import ipaddress
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.errors import UnauthenticatedError
from api.services import Given
from vigie import access, db, health
from vigie.metrics import render

router = APIRouter(tags=["operations"])


@router.get("/health")
async def alive() -> dict[str, str]:
    """This process answers; it asks nobody."""
    return {"status": "alive"}


@router.get("/ready", responses={503: {"description": "Not ready, and why"}})
def ready(request: Request, given: Given) -> JSONResponse:
    """Whether it can do its work; on this machine, or with a key, also why not, and which workers are alive."""
    state: dict[str, Any] = health.readiness(given.engine, given.log)
    status = 200 if state["ready"] else 503
    if not _may_see_detail(request, given):
        state = {"ready": state["ready"]}
    return JSONResponse(state, status)


@router.get("/metrics", response_class=Response)
def metrics(request: Request, given: Given) -> Response:
    """For Prometheus, on this machine or with a key of the whole installation."""
    if not _may_see_detail(request, given):
        raise UnauthenticatedError("send a key: Authorization: Bearer vigie_…")
    body, content_type = render(given.figures.registry)
    return Response(body, media_type=content_type)


def _may_see_detail(request: Request, given: Given) -> bool:
    """Whether the visitor is on this machine, or has a key of the whole installation."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key:
        with db.reading(given.engine) as connection:
            holder = access.authenticate(connection, key.strip(), "key")
        return holder is not None and holder.may("reader", None)
    return _is_on_this_machine(request)


def _is_on_this_machine(request: Request) -> bool:
    try:
        return ipaddress.ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False
