"""Every refusal is an RFC 9457 problem, and no answer tells how we are built."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from vigie.errors import InvalidInputError, NotFoundError, TooManyError, UnavailableError, VigieError

logger = structlog.get_logger(__name__)

RETRY_AFTER = "5"


class Problem(BaseModel):
    """A problem detail (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: list[dict[str, str]] | None = None


class ForbiddenError(VigieError):
    """The key is valid and does not allow this."""


class UnauthenticatedError(VigieError):
    """There is no key, or it is not valid."""


_STATUS: dict[type[VigieError], tuple[int, str]] = {
    NotFoundError: (404, "Not found"),
    TooManyError: (429, "Too many requests"),
    InvalidInputError: (422, "Not usable"),
    ForbiddenError: (403, "Not allowed"),
    UnauthenticatedError: (401, "Who are you?"),
    UnavailableError: (503, "Not available now"),
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": title, "content": {"application/problem+json": {}}}
    for status, title in [
        *_STATUS.values(),
        (400, "Bad request"),
        (409, "Conflict"),
        (413, "Too large"),
    ]
}


def problem(status: int, title: str, detail: str | None = None, **more: Any) -> JSONResponse:
    """A problem as an answer."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if status == 503:
        headers["Retry-After"] = RETRY_AFTER
    body = Problem(title=title, status=status, detail=detail, **more).model_dump(exclude_none=True)
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""

    @app.exception_handler(VigieError)
    def ours(request: Request, error: VigieError) -> JSONResponse:
        status, title = next((found for kind, found in _STATUS.items() if isinstance(error, kind)), (500, "Failed"))
        if status >= 500:
            logger.warning("request_failed", path=request.url.path, error=str(error))
        return problem(status, title, str(error))

    @app.exception_handler(DataError)
    def not_storable(request: Request, error: DataError) -> JSONResponse:
        """PostgreSQL takes no NUL in a text, wherever in a request it hides."""
        return problem(422, "Not usable", "a value holds a character that cannot be stored")

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [{"at": "/".join(map(str, one["loc"])), "message": one["msg"]} for one in error.errors()[:20]]
        if any(one["type"] == "json_invalid" for one in error.errors()):
            return problem(400, "Bad request", "the body is not JSON")
        return problem(422, "Not usable", "some values cannot be used", errors=errors)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        answer = problem(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        logger.exception("request_crashed", path=request.url.path)
        return problem(500, "Failed", "this is our mistake; it has been logged")
