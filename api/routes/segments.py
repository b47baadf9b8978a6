"""`GET /segments`: who the customers are."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import HouseDependency
from api.schemas import Segment

router = APIRouter(tags=["segments"])


@router.get("/segments")
async def segments(home: HouseDependency) -> list[Segment]:
    """List the segments, the largest first; none where nothing tells customers apart."""
    model = home.bundle.segments
    if model is None:
        return []
    centres = model.raw(model.centroids)
    total = len(home.bundle.customers.ids)
    return [
        Segment(
            id=row,
            name=model.names[row],
            description=model.descriptions[row],
            size=round(float(model.shares[row]) * total),
            share=float(model.shares[row]),
            centroid={
                name: float(value) for name, value in zip(model.features, centres[row], strict=True)
            },
        )
        for row in range(model.n_segments)
    ]
