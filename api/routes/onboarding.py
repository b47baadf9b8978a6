"""Onboarding: what is worth asking next, and a new customer's segment and first offers."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import StringConstraints

from api.bodies import Onboarding
from api.dependencies import HouseDependency
from api.exact import Exact
from api.listing import NOTHING_TOLD, serving
from api.lists import make_lists
from api.owned import answers_of, profile_columns, profile_of
from api.people import Asked, find_person, people_of
from api.replies import NextQuestion, NextQuestions, OfferList, ProfileColumn, Welcome
from api.values import CustomerId, Stripped
from recommender.features.demographics import SIGNUP

router = APIRouter(tags=["onboarding"], route_class=Exact)

MOST_QUESTIONS, MOST_SKIPPED = 20, 200
Skipped = Annotated[Stripped, StringConstraints(max_length=200)]


@router.get("/onboarding/survey")
def survey(
    home: HouseDependency,
    customer_id: Annotated[
        CustomerId | None, Query(description="Whom to ask; known or not.")
    ] = None,
    skip: Annotated[
        list[Skipped] | None,
        Query(max_length=MOST_SKIPPED, description="A question not to ask; may be repeated."),
    ] = None,
    n: Annotated[int, Query(ge=1, le=MOST_QUESTIONS, description="How many at most.")] = 3,
) -> NextQuestions:
    """Choose what to ask next, by what is known by now; every question may be skipped."""
    model, at = home.model, home.now()
    questions: list[NextQuestion] = []
    if model.service is not None:
        if customer_id is None:  # nothing to read: asked even while the database is away
            person = people_of(model, model.service, [("", NOTHING_TOLD)], at)
        else:
            person = find_person(home, model, model.service, customer_id, at)
        questions = _told(model.service.next_questions(person.query, at, skip or (), n))
    columns = [
        ProfileColumn(name=name, values=None if values is None else list(values))
        for name, values in profile_columns(model.bundle).items()
        if name != SIGNUP  # not asked: it is now
    ]
    return NextQuestions(
        customer_id=customer_id, settled=not questions, questions=questions, profile=columns
    )


@router.post("/onboarding", status_code=HTTPStatus.CREATED, responses={200: {"model": Welcome}})
def onboard(
    request: Request,
    response: Response,
    home: HouseDependency,
    body: Onboarding,
) -> Welcome:
    """Take any part of a profile and of the answers, down to nothing; a known id is updated.

    Where the model reads how long people have been customers, whoever is new here becomes one now.
    """
    customer_id = body.customer_id or f"n{uuid.uuid4().hex}"
    before = home.model
    serving(before)  # nothing is written where nothing can be answered
    profile = profile_of(body.profile, before.bundle, "body", "profile")
    joins = SIGNUP in profile_columns(before.bundle) and (
        customer_id not in before.bundle.customer_ids
    )
    if_new = {SIGNUP: home.now().value // 1000} if joins else {}
    told = answers_of(body.answers, before.bundle, "body", "answers")
    new = home.store.put_customer(customer_id, profile, told, if_new)
    _, everybody = home.store.revisions(customer_id)
    model, at = home.current(everybody), home.now()
    service = serving(model)
    if customer_id in model.bundle.customer_ids or not new:
        response.status_code = HTTPStatus.OK
    person = find_person(home, model, service, customer_id, at)
    made = make_lists(model, service, person, [Asked()], at)[0]
    return Welcome(
        customer_id=customer_id,
        segment=made["segment"],
        next_questions=_told(service.next_questions(person.query, at, body.skipped)),
        recommendations=OfferList(
            request_id=request.state.request_id,
            decision_id=uuid.uuid4().hex,
            generated_at=datetime.now(UTC),
            **made,
        ),
    )


def _told(questions: list[tuple[str, str]]) -> list[NextQuestion]:
    return [NextQuestion(question=question, text=text) for question, text in questions]
