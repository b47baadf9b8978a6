"""`POST /onboarding`: a new customer gets a segment, first offers and the next questions."""

from __future__ import annotations

import uuid
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from api.dependencies import HouseDependency
from api.listing import serving
from api.people import Asked, find_person, make_list, segment_of
from api.schemas import NextQuestion, Onboarding, Welcome

router = APIRouter(tags=["onboarding"])


@router.post("/onboarding", status_code=HTTPStatus.CREATED, responses={200: {"model": Welcome}})
def onboard(
    request: Request,
    response: Response,
    home: HouseDependency,
    body: Onboarding,
) -> Welcome:
    """Take any part of a profile and of the answers, down to nothing; a known id is updated."""
    model, at = home.model, home.now()
    service = serving(model)
    customer_id = body.customer_id or f"n{uuid.uuid4().hex}"
    known = customer_id in model.bundle.customer_ids
    new = home.store.put_customer(
        customer_id, body.profile.model_dump(exclude_none=True), dict(body.answers)
    )
    if known or not new:
        response.status_code = HTTPStatus.OK
    person = find_person(model, service, home.store, customer_id, at)
    return Welcome(
        customer_id=customer_id,
        segment=segment_of(model.bundle, person.query),
        next_questions=[
            NextQuestion(question=question, text=text)
            for question, text in service.next_questions(person.query)
        ],
        recommendations=make_list(
            model, service, person, Asked(), at, request_id=request.state.request_id
        ),
    )
