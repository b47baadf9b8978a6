"""`GET /segments` and `/segments/{id}`: who the customers are."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Query

from api.dependencies import HouseDependency
from api.errors import ApiError
from api.exact import Exact
from api.replies import Compared, Problem, Segment, SegmentDetail
from data.schema import ANNUAL_INCOME, SPENDING_SCORE
from recommender.bundle import Bundle
from segmentation.features import FEATURES
from segmentation.profiles import label_of
from segmentation.segments import SegmentModel

router = APIRouter(tags=["segments"], route_class=Exact)

MOST_POINTS = 500
DIGITS = 3  # of a point's values: enough to draw, less than what a row says of a person


@router.get("/segments")
def segments(home: HouseDependency) -> list[Segment]:
    """List the segments in the order of their ids; none where nothing tells customers apart."""
    model = home.bundle.segments
    if model is None:
        return []
    return [_segment(home.bundle, model, row) for row in range(model.n_segments)]


@router.get("/segments/{segment_id}", responses={404: {"model": Problem}})
def segment(
    home: HouseDependency,
    segment_id: Annotated[int, Path(examples=[0])],
    points: Annotated[
        int,
        Query(ge=0, le=MOST_POINTS, description="How many customers to sample for a map."),
    ] = 200,
) -> SegmentDetail:
    """Describe one segment: its profile beside everybody's, and a nameless sample of its people.

    The sample is the same for the same model, and a shorter one is the beginning of a longer one.
    """
    model = home.bundle.segments
    if model is None or not 0 <= segment_id < model.n_segments:
        raise ApiError(HTTPStatus.NOT_FOUND, "NO_SEGMENT", "The model has no such segment.")
    columns = [FEATURES.index(name) for name in model.features]
    values = home.bundle.customers.features[:, columns]
    placed = model.assign(values)
    inside = placed.segment == segment_id
    known = placed.segment < model.n_segments
    axes = map_axes(model)
    confidence = placed.confidence[inside]
    return SegmentDetail(
        **_segment(home.bundle, model, segment_id).model_dump(),
        confidence=float(confidence.mean()) if len(confidence) else None,
        profile={
            name: Compared(
                label=label_of(name),
                segment=_mean(values[inside, place]),
                everybody=_mean(values[known, place]),
            )
            for place, name in enumerate(model.features)
        },
        axes=axes,
        points=_sample(
            values[inside][:, [model.features.index(name) for name in axes]],
            points,
            np.random.default_rng([segment_id, int(home.bundle.version or "0", 16)]),
        ),
    )


def map_axes(model: SegmentModel) -> list[str]:
    """Choose the features of a map: income and spending score, or the first two there are."""
    wanted = [ANNUAL_INCOME, SPENDING_SCORE]
    return wanted if set(wanted) <= set(model.features) else list(model.features[:2])


def _segment(bundle: Bundle, model: SegmentModel, row: int) -> Segment:
    centre, size = model.raw(model.centroids[row]), bundle.segment_sizes[row]
    return Segment(
        id=row,
        name=model.names[row],
        description=model.descriptions[row],
        size=int(size),
        share=float(size / max(1, bundle.segment_sizes.sum())),
        centroid={name: float(value) for name, value in zip(model.features, centre, strict=True)},
    )


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _sample(values: np.ndarray, n: int, random: np.random.Generator) -> list[list[float]]:
    """Draw n whole rows in an order that tells nothing of the customers' order."""
    whole = values[np.isfinite(values).all(axis=1)]
    drawn = whole[random.permutation(len(whole))[:n]]
    return [[float(f"{value:.{DIGITS}g}") for value in row] for row in drawn]
