"""A small client of the API, for the programs of a firm or its adviser.

    with Client("https://avis.example.fr", "vigie_…") as vigie:
        for mention in vigie.mentions(company_id, sentiment="negative"):
            print(mention["text"])

Answers are the JSON of the API as dictionaries; /openapi.json describes their fields. What is busy or asks for a pause
(429, 503) is asked again as late as it says; a write is sent with an `Idempotency-Key`, so that it is done once.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from types import TracebackType
from typing import Any, Self

import httpx2

from vigie.errors import VigieError

Json = dict[str, Any]
Value = str | int | float | date | None

_TIMEOUT = 30.0  # seconds
_ATTEMPTS = 4
_LONGEST_PAUSE = 60.0  # seconds


class ProblemError(VigieError):
    """The API refused, as an RFC 9457 problem: `status`, `title`, and `detail` in words."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status, self.title, self.detail = status, title, detail


class Client:
    """One installation, by one key. Raises `ProblemError`, and `httpx2.HTTPError` where nobody answers."""

    def __init__(self, address: str, key: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx2.Client(base_url=f"{address.rstrip('/')}/api/v1", headers=headers, timeout=_TIMEOUT)
        self._pause = pause

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def companies(self) -> list[Json]:
        """The firms that the key may see."""
        return list(self._ask("GET", "/companies"))

    def mentions(self, company_id: str, **filters: Value) -> Iterator[Json]:
        """Every mention, latest first, page by page: `from_`, `to`, `source`, `theme`, `sentiment`, `rating`, `q` …"""
        return self._pages(f"/companies/{company_id}/mentions", filters)

    def push(self, company_id: str, mentions: Sequence[Mapping[str, Any]], *, source: str = "API") -> list[str]:
        """Send up to 500 mentions; their ids, once they are durable."""
        body = {"source": source, "mentions": list(mentions)}
        return list(self._ask("POST", f"/companies/{company_id}/mentions", json=body)["ids"])

    def judge(self, company_id: str, mention_id: str, aspect: str, value: str) -> Json:
        """Correct a reading (`label`, `theme:service`) or set a `status`; the mention as it stands then."""
        body = {"aspect": aspect, "value": value}
        return dict(self._ask("POST", f"/companies/{company_id}/mentions/{mention_id}/judgements", json=body))

    def trends(self, company_id: str, **wanted: Value) -> Json:
        """Points by day, week, month or quarter (`by`), the score with its interval, and weeks of change."""
        return dict(self._ask("GET", f"/companies/{company_id}/trends", params=_params(wanted)))

    def themes(self, company_id: str, **wanted: Value) -> list[Json]:
        """What the mentions speak of, and how."""
        return list(self._ask("GET", f"/companies/{company_id}/themes", params=_params(wanted)))

    def alerts(self, company_id: str) -> Iterator[Json]:
        """Every alert, latest first."""
        return self._pages(f"/companies/{company_id}/alerts", {})

    def acknowledge(self, company_id: str, alert_id: str) -> Json:
        """Somebody has seen an alert."""
        return dict(self._ask("POST", f"/companies/{company_id}/alerts/{alert_id}/acknowledge"))

    def resolve(self, company_id: str, alert_id: str) -> Json:
        """An alert is dealt with."""
        return dict(self._ask("POST", f"/companies/{company_id}/alerts/{alert_id}/resolve"))

    def sources(self, company_id: str) -> list[Json]:
        """Where the firm is listened to, and how well that works."""
        return list(self._ask("GET", f"/companies/{company_id}/sources"))

    def report(self, company_id: str, week: str) -> Json:
        """What the owner's mail of a week (2026-W47) said."""
        return dict(self._ask("GET", f"/companies/{company_id}/reports/{week}"))

    def _pages(self, path: str, filters: Mapping[str, Value]) -> Iterator[Json]:
        cursor: str | None = None
        while True:
            page = self._ask("GET", path, params=_params({**filters, "cursor": cursor}))
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        headers = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
        for attempt in range(1, _ATTEMPTS + 1):
            answer = self._http.request(method, path, headers=headers, **request)
            if answer.status_code not in {429, 503} or attempt == _ATTEMPTS:
                break
            self._pause(_asked_pause(answer, attempt))
        if answer.is_success:
            return answer.json()
        raise _problem(answer)


def _params(wanted: Mapping[str, Value]) -> dict[str, str]:
    """As the API names them: `from_` stands for `from`, which Python keeps for itself."""
    return {name.rstrip("_"): str(value) for name, value in wanted.items() if value is not None}


def _asked_pause(answer: httpx2.Response, attempt: int) -> float:
    asked = answer.headers.get("retry-after", "")
    return min(float(asked) if asked.isdigit() else 2.0**attempt, _LONGEST_PAUSE)


def _problem(answer: httpx2.Response) -> ProblemError:
    try:
        said = answer.json()
        return ProblemError(answer.status_code, str(said["title"]), str(said.get("detail") or ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        return ProblemError(answer.status_code, answer.reason_phrase, answer.text[:200])
