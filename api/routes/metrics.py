"""`GET /metrics`: figures for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.dependencies import HouseDependency
from api.telemetry import exposition

router = APIRouter(tags=["operations"])


@router.get("/metrics", response_class=Response)
async def metrics(home: HouseDependency) -> Response:
    """Tell requests by route and status, lists by what they are made from, and the model's age."""
    body, media_type = exposition(home.bundle.version, home.bundle.created_at)
    return Response(body, headers={"content-type": media_type})
