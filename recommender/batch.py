"""Lists for many customers: those of the bundle, or a table of customers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.errors import BundleError
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, OFFER_ID, SPENDING_SCORE
from recommender.base import Query, stack
from recommender.bundle import Bundle
from recommender.service import Service, Wish
from segmentation.features import customer_features

COLUMNS = (CUSTOMER_ID, "rank", OFFER_ID, "score", "source")


def recommend_batch(service: Service, given: Dataset | None, wish: Wish) -> pd.DataFrame:
    """Make the lists of a batch.

    Parameters
    ----------
    service : Service
        The model.
    given : Dataset, optional
        The wanted customers; every customer of the bundle if not given.
    wish : Wish
        What the lists should be like.

    Returns
    -------
    DataFrame
        customer_id, rank (from 1), offer_id, score, source; in the order of the customers.
    """
    ids, query = query_customers(service.bundle, given, wish.at)
    lists = service.recommend(query, replace(wish, explain=False))
    offers = service.recommender.encoders.offer_ids
    rows = [
        (customer, rank, str(offers[listed.row]), listed.score, listed.source)
        for customer, made in zip(ids, lists, strict=True)
        for rank, listed in enumerate(made.offers, 1)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def query_customers(
    bundle: Bundle, given: Dataset | None, at: pd.Timestamp
) -> tuple[list[str], Query]:
    """Build the queries of a batch.

    Parameters
    ----------
    bundle : Bundle
        With a recommender.
    given : Dataset, optional
        Tables of the wanted customers: who they are and, for those the bundle does not know, what
        they did, bought and answered. Every customer of the bundle if not given.
    at : Timestamp
        Rows of `given` at or after it are not read.

    Returns
    -------
    ids : list of str
        External ids, in the order of the customers table where one is given.
    query : Query
        One row each.
    """
    known = bundle.customers.query
    if known is None or bundle.recommender is None:
        raise BundleError("This model recommends nothing.", "Train it with offers.")
    if given is None:
        return [str(name) for name in bundle.customers.ids], known
    ids = [str(name) for name in given.customers[CUSTOMER_ID]]
    strangers = IdMap(name for name in ids if name not in bundle.customer_ids)
    familiar = [name for name in ids if name in bundle.customer_ids]
    parts = [known.take(bundle.customer_ids.rows(familiar))]
    if len(strangers):
        told = _only(given.before(at), strangers, bundle)
        features = customer_features(told, at).values
        # A percentile among strangers says nothing: only scores that are stated count.
        stated = told.customers.set_index(CUSTOMER_ID)[SPENDING_SCORE]
        features[SPENDING_SCORE] = stated.reindex(features.index)
        parts.append(bundle.recommender.encoders.query_dataset(told, features, strangers))
    place = {name: row for row, name in enumerate([*familiar, *strangers.ids])}
    order = np.array([place[name] for name in ids], dtype=np.int64)
    return ids, stack(parts).take(order)


def _only(given: Dataset, wanted: IdMap, bundle: Bundle) -> Dataset:
    """Keep the rows of some customers, and of offers that the bundle knows."""

    def of_wanted(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[wanted.known(frame[CUSTOMER_ID])]

    interactions = of_wanted(given.interactions)
    return replace(
        given,
        customers=of_wanted(given.customers),
        transactions=of_wanted(given.transactions),
        interactions=interactions[interactions[OFFER_ID].isin(bundle.offers[OFFER_ID])],
        survey_answers=of_wanted(given.survey_answers),
    )
