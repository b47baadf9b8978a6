"""The truth that lies beside a world's tables, in `truth/`: training never reads it.

The planted segments and oddities by customer, and the true probabilities of their answers. What is
computed from the parameters instead: `truth`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from data.synthetic.liking import Liking
from data.synthetic.oddities import PATTERNS
from data.synthetic.parameters import SEGMENTS
from data.synthetic.people import People


def planted_segments(people: People) -> pa.Table:
    """Return customer_id and the name of the segment that each was made from."""
    names = np.array([planted.name for planted in SEGMENTS], dtype=object)
    ids = people.table["customer_id"].to_numpy()
    return pa.table({"customer_id": ids, "segment": names[people.segment]})


def planted_anomalies(people: People) -> pa.Table:
    """Return customer_id, the kind of oddity and its pattern; empty for ordinary customers."""
    kinds = {"": "", **{name: kind for name, (kind, _) in PATTERNS.items()}}
    return pa.table(
        {
            "customer_id": people.table["customer_id"].to_numpy(),
            "kind": [kinds[name] for name in people.pattern],
            "pattern": people.pattern,
        }
    )


def true_liking(liking: Liking, most: int) -> pa.Table:
    """List the true probabilities of the first customers, each with every offer.

    Parameters
    ----------
    liking : Liking
        Of some customers for all offers.
    most : int
        Customers that are listed, at most.

    Returns
    -------
    Table
        Probabilities to click and to redeem, also soon after another redemption, and to buy without
        and with the offer.
    """
    people = liking.people
    n = min(most, len(people.pace))
    offers = len(liking.offers.category)
    who, offer = np.repeat(np.arange(n), offers), np.tile(np.arange(offers), n)
    click, anyway = liking.click(who, offer), liking.anyway(who, offer)
    calm, lately = np.zeros(len(who), dtype=bool), np.ones(len(who), dtype=bool)
    return pa.table(
        {
            "customer_id": pa.array(people.table["customer_id"].to_numpy()[who], pa.string()),
            "offer_id": pa.array(liking.offers.table["offer_id"].to_numpy()[offer], pa.string()),
            "click_probability": click,
            "redemption_probability": click * liking.redemption(who, offer, calm),
            "redemption_probability_after_redeeming": click * liking.redemption(who, offer, lately),
            "purchase_probability_without_offer": anyway,
            "purchase_probability_with_offer": anyway
            + (1 - anyway) * click * liking.persuaded(who, offer, calm),
        }
    )
