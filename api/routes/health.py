"""Alive, ready, and in numbers."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from api.services import Given
from vigie import health

router = APIRouter(tags=["operations"])


@router.get("/health")
async def alive() -> dict[str, str]:
    """This process answers; it asks nobody."""
    return {"status": "alive"}


@router.get("/ready", responses={503: {"description": "Not ready, and why"}})
def ready(given: Given) -> JSONResponse:
    """Whether it can do its work, and why not; which workers are alive."""
    found: dict[str, Any] = health.readiness(given.engine)
    return JSONResponse(found, 200 if found["ready"] else 503)


@router.get("/metrics", response_class=Response)
def metrics(given: Given) -> Response:
    """For Prometheus."""
    body, content_type = health.metrics(given.engine, given.log)
    return Response(body, media_type=content_type)
