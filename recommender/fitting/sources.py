"""Fitting the six sources at one moment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.errors import DataError
from data.idmap import IdMap
from data.schema import AMOUNT, BOUGHT, CUSTOMER_ID, ITEM_ID, OFFER_ID
from recommender.base import Query
from recommender.content import PRIOR, ContentScorer, merchant_shares
from recommender.encoders import DONE, Encoders
from recommender.features.bought import counting_offers
from recommender.features.demographics import Demographics
from recommender.features.habits import responses_of
from recommender.features.history import history_of
from recommender.features.key_building import build_keys
from recommender.features.keys import KeySpace
from recommender.features.kinship import Kinship
from recommender.features.profile_columns import build_demographics, profiles_of
from recommender.features.readiness import find_readiness
from recommender.features.spending import Spending
from recommender.features.wallet import NO_WALLET, build_wallet
from recommender.fitting.chances import collect_chances, met_by_anybody
from recommender.fitting.collaborative import fit_collaborative
from recommender.fitting.fitted import Fitted, scale_sample
from recommender.fitting.foreseeing import fit_would
from recommender.fitting.pace import pace_of
from recommender.fitting.prior import prior_hybrid
from recommender.fitting.rates import estimate_rates
from recommender.fitting.ridges import fit_ridges, kin_of
from recommender.fitting.tastes import Shelf, fit_tastes
from recommender.fitting.trend import Takings, trend_of
from recommender.model import Recommender
from recommender.popularity import Expectation, PopularityScorer
from recommender.recipe import DEFAULT, Recipe
from recommender.scoring.starts import Start
from recommender.survey import behave_as_answers, build_survey, prefer_given
from segmentation.kmeans import Segmentation, segment_customers
from segmentation.segments import SegmentModel

MOST_PART = 0.5  # of those who bought something, from which on purchases tell of offers


def fit_sources(
    dataset: Dataset,
    at: pd.Timestamp,
    features: pd.DataFrame,
    segments: SegmentModel | None,
    seed: int = 0,
    recipe: Recipe = DEFAULT,
    trusted: Dataset | None = None,
    demographics: Demographics | None = None,
) -> Fitted:
    """Fit every source to the rows before a moment.

    Parameters
    ----------
    dataset : Dataset
        Rows before `at`, with offers.
    features : DataFrame
        The six features by customer id at that moment.
    segments : SegmentModel or None
        Segments fitted to them.
    recipe : Recipe
        Hyper-parameters.
    trusted : Dataset, optional
        The same without the interactions that are not learnt from; whose they are, they stay.
    demographics : Demographics, optional
        The columns of profiles, where other models have to have the same ones; else what the
        profiles here tell.
    """
    moment = at.value // 1000
    if demographics is None:
        demographics = build_demographics(profiles_of(dataset), moment)
    ids, offers = dataset.customer_ids, dataset.offer_ids
    trusted = dataset if trusted is None else trusted
    keys = build_keys(dataset)
    survey = build_survey(trusted)
    encoders = Encoders(
        offer_ids=offers.ids.astype(np.str_),
        keys=keys,
        demographics=replace(demographics, moment=moment),
        survey=survey,
        segments=segments,
        moment=moment,
        counting=counting_offers(dataset, keys)
        if dataset.positive_type() == BOUGHT
        else np.zeros(len(offers), dtype=bool),
        wallet=NO_WALLET,
    )
    query = learnt = encoders.query_dataset(dataset, features, ids)
    if trusted is not dataset:
        done = history_of(trusted, ids, offers, encoders.moment)
        responses = responses_of(trusted, ids)
        learnt = replace(query, **dict(zip(DONE, done, strict=True)), responses=responses)
    spend = Spending.of(query.purchases, keys)
    table = dataset.offers.set_index(OFFER_ID).reindex(offers.ids)
    # Of what items are, purchases of items tell more than choices of offers.
    shelf = Shelf(table, keys, np.flatnonzero(met_by_anybody(dataset)), bool(spend.by_offer.any()))
    columns = shelf.columns()
    attributes = shelf.lay_out(columns)
    chances = collect_chances(trusted, ids, at, spend, keys, attributes, columns)
    if chances.shown is not None or not _tell(query):
        # Where showing is not logged, purchases of what offers are for say it better than shares.
        encoders = replace(encoders, wallet=build_wallet(dataset, moment))
        query = replace(query, wallet=encoders.wallet.money(dataset, ids))
    rates = estimate_rates(chances)
    behaved = behave_as_answers(survey, dataset, learnt.taken(), spend)
    tastes = fit_tastes(shelf, columns, attributes, learnt.taken(), seed)
    content = ContentScorer(
        keys,
        tastes.columns,
        tastes.attributes,
        tastes.likeness,
        tastes.many,
        merchant_shares(query, keys),
        fit_would(query, keys, seed),
        np.array(list(PRIOR.values())),
    )
    ridges = fit_ridges(
        replace(query, answers=prefer_given(query.answers, behaved)),
        encoders,
        chances,
        kin_of(
            Kinship.of(table["category"], chances.shown is not None, bool(chances.dated.any())),
            shelf.telling(columns) if shelf.itself else attributes,
            table["category"],
            spend,
            query.purchases / keys.unit,
        ),
        seed,
    )
    segment, profile = (tastes.spread_kin(ridge) for ridge in ridges)
    # What is bought may be bought again, whatever may be redeemed again.
    repeatable = dataset.repeatable | encoders.by_purchases
    # Of offers that items tell of, purchases tell more.
    telling = content.attributes[:, :0] if shelf.itself else content.attributes
    profiled = len(encoders.demographics.blocks)
    collaborative = fit_collaborative(
        learnt, repeatable, telling, recipe, profiled, seed, logged=chances.shown is not None
    )
    readiness = find_readiness(dataset, keys)
    popularity = PopularityScorer(
        rates.log_rate,
        Expectation(
            rates.level,
            rates.slope,
            rates.unplaced,
            tastes.spread(rates.effect),
            *_money(dataset, query, keys),
            readiness,
        ),
        rated=chances.shown is not None,
    )
    sample = scale_sample(query, seed)
    takings = Takings.of(trusted, moment, chances.showings)
    pace = pace_of(takings, moment)
    return Fitted(
        recommender=Recommender(
            encoders=encoders,
            collaborative=collaborative,
            content=content,
            segment=segment,
            profile=profile,
            popularity=popularity,
            hybrid=prior_hybrid(
                popularity.level,
                collaborative.score(sample),
                content.score(sample),
                np.asarray(learnt.redeemed.sum(axis=0)).ravel(),
                trend_of(takings, moment, pace.half_life),
                readiness.of(keys.offer_keys),
                chances.unmet(),
                popularity.odds - popularity.level,
                Start.believed(
                    learnt.responses,
                    query.demographic,
                    pd.factorize(np.array(encoders.demographics.attribute, dtype=object))[0],
                    query.spent,
                ),
                rated=popularity.rated,
                segmented=encoders.segments is not None,
            ),
        ),
        ids=ids,
        query=query,
        behaved=behaved,
        profile_segment=profile_segment(dataset, encoders, ids, features),
        newcomers_follow=popularity.rated or pace.for_newcomers,
        notes=(tastes.note,) if tastes.note else (),
    )


def _tell(query: Query) -> bool:
    """Tell whether most of those who bought something bought what some offer is for."""
    bought = np.diff(query.spent.indptr) > 0
    return bool(np.count_nonzero(np.diff(query.purchases.indptr)) > MOST_PART * bought.sum())


def _money(dataset: Dataset, query: Query, keys: KeySpace) -> tuple[np.ndarray, np.ndarray]:
    """Return what a customer spends on average on each key and on each item, in units."""
    typical = max(1, len(query)) * keys.unit
    by_key = np.asarray(query.purchases.sum(axis=0)).ravel() / typical
    item = pd.Index(keys.item_ids).get_indexer(pd.Index(dataset.transactions[ITEM_ID]))
    amount = dataset.transactions[AMOUNT].to_numpy(dtype=np.float64)
    by_item = np.bincount(item[item >= 0], amount[item >= 0], minlength=len(keys.item_ids))
    return by_key, np.maximum(by_item, 0.0) / typical


def find_segments(
    features: pd.DataFrame, k: int | None, seed: int, previous: SegmentModel | None = None
) -> tuple[Segmentation | None, str]:
    """Segment customers if anything tells them apart; else say why not.

    Segments that continue some of the `previous` ones keep their names.
    """
    try:
        return segment_customers(features, k=k, seed=seed, previous=previous), ""
    except DataError as error:
        return None, error.problem


def profile_segment(
    dataset: Dataset, encoders: Encoders, ids: IdMap, features: pd.DataFrame
) -> sp.csr_matrix:
    """Place customers by what their profile says, leaving out all that purchases told.

    Returns
    -------
    csr_matrix, shape (customers, segments)
    """
    table = features.reindex(pd.Index(ids.ids, dtype="str")).copy()
    table[:] = np.nan
    stated = dataset.customers.set_index(CUSTOMER_ID)
    for name in ("age", "annual_income", "spending_score"):
        table[name] = stated[name].reindex(table.index)
    return encoders.segment_membership(table.to_numpy(dtype=np.float64))
