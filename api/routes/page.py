"""`/` and `/static/*`: the first page, a client of our own JSON and nothing more."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Header, Response

from api.errors import ApiError

router = APIRouter(include_in_schema=False)

HOME = FilePath(__file__).parents[1] / "static"
FIRST = "index.html"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Asked again every time, answered with 304 while nothing changed: modules of two releases must
# never meet in one browser.
CACHING = "no-cache"


@dataclass(frozen=True)
class Part:
    """A file of the page, as it is sent."""

    content: bytes
    kind: str
    tag: str


@cache
def parts() -> dict[str, Part]:
    """Read the page's files once; no other file can be asked for, whatever a path says."""
    found = {}
    for path in sorted(HOME.iterdir()):
        if path.suffix in KINDS:
            content = path.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
            found[path.name] = Part(content, KINDS[path.suffix], tag)
    return found


@router.api_route("/", methods=["GET", "HEAD"])
async def first_page(if_none_match: Annotated[str, Header()] = "") -> Response:
    """Send the page itself."""
    return _send(FIRST, if_none_match)


@router.api_route("/static/{name}", methods=["GET", "HEAD"])
async def static_file(name: str, if_none_match: Annotated[str, Header()] = "") -> Response:
    """Send a file of the page."""
    return _send(name, if_none_match)


def _send(name: str, known: str) -> Response:
    part = parts().get(name)
    if part is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "NOT_FOUND", "The page has no such file.")
    headers = {"Cache-Control": CACHING, "ETag": part.tag}
    if part.tag in (one.strip().removeprefix("W/") for one in known.split(",")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(part.content, media_type=part.kind, headers=headers)
