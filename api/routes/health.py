"""Whether the service lives and is ready."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import HouseDependency

router = APIRouter(tags=["operations"], prefix="/health")


@router.get("/live")
async def live() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "live"}


@router.get("/ready")
def ready(home: HouseDependency) -> dict[str, str | int | bool]:
    """Say that a model is loaded and the database answers; 503 if it does not."""
    home.store.ping()
    return {
        "status": "ready",
        "model_version": home.bundle.version,
        "model_at": home.bundle.at,
        "created_at": home.bundle.created_at,
        "customers": len(home.bundle.customers.ids),
        "recommends": home.service is not None,
        "offers": len(home.bundle.offers),
        "candidates": 0
        if home.service is None
        else int(home.service.candidates.valid(home.now()).sum()),
    }
