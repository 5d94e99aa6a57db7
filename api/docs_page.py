"""The API's documentation as one page made from its OpenAPI description: no script, and nothing from elsewhere."""

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

STYLE = "/static/vigie.css"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'",
}


def add_docs_page(app: FastAPI, path: str) -> None:
    """Serve the page at `path`."""

    @app.get(path, include_in_schema=False)
    def show_docs() -> HTMLResponse:
        return HTMLResponse(_render(app.openapi()), headers=HEADERS)


def _render(schema: dict[str, Any]) -> str:
    title = escape(schema["info"]["title"])
    description = escape(schema["info"].get("description", ""))
    operations = "".join(_render_operations(schema["paths"]))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="/static/vigie.svg" type="image/svg+xml"><link rel="stylesheet" href="{STYLE}">'
        f'</head><body><main class="wrap"><h1>{title} API</h1><p>{description}</p>'
        f'<p>The whole description, for tools: <a href="/openapi.json">/openapi.json</a></p>{operations}'
        "</main></body></html>"
    )


def _render_operations(paths: dict[str, Any]) -> Iterator[str]:
    for path, operations in paths.items():
        for method, operation in operations.items():
            summary = escape(operation.get("description") or operation.get("summary", ""))
            yield f"<section><h3><code>{method.upper()} {escape(path)}</code></h3><p>{summary}</p>"
            yield from _render_list("Parameters", map(_describe_parameter, operation.get("parameters", ())))
            answers = operation.get("responses", {}).items()
            yield from _render_list("Answers", (f"{code}: {answer['description']}" for code, answer in answers))
            yield "</section>"


def _render_list(title: str, items: Iterator[str]) -> Iterator[str]:
    lines = [f"<li>{escape(item)}</li>" for item in items]
    if lines:
        yield f"<h4>{title}</h4><ul>{''.join(lines)}</ul>"


def _describe_parameter(parameter: dict[str, Any]) -> str:
    description = parameter.get("description", "")
    need = "required" if parameter.get("required") else "optional"
    return f"{parameter['name']} ({parameter['in']}, {need}) {description}".strip()
