"""What the database keeps besides facts about people: offers that were put, and API keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from data import stored
from data import tables as t
from data.database import Database
from data.reading import EVERYBODY
from data.rows import Row
from data.schema import OFFERS
from data.stored import KeyRow


class OfferRegister(Database):
    """The offers that there are, and what they are on."""

    def put_offer(
        self,
        offer_id: str,
        attributes: Mapping[str, Any],
        items: Sequence[str] | None,
        changed_at: int,
        if_new: Mapping[str, Any] | None = None,
    ) -> bool:
        """Add or update an offer and the items that it is on; only what is given changes.

        Parameters
        ----------
        attributes : mapping
            Columns of the offers table, the owner's own ones as well; times in microseconds. What
            is absent stays as it is, and None empties it.
        items : sequence of str, optional
            All of them; None leaves them as they are.
        changed_at : int
            The moment, microseconds since 1970.
        if_new : mapping, optional
            What an offer that is new has where nothing else is given, ``items`` as well.

        Returns
        -------
        bool
            True if the offer is new.
        """
        always = {"offer_id": offer_id, "changed_at": changed_at}
        whole = {"items": (), **(if_new or {}), **attributes}
        with self._engine.begin() as connection:
            new = self._add(
                connection, t.offers, {name: whole.get(name) for name in OFFERS.names} | always
            )
            given = whole if new else attributes
            if not new:
                stated = {name: given[name] for name in OFFERS.names if name in given}
                mine = t.offers.c.offer_id == offer_id
                connection.execute(sa.update(t.offers).where(mine).values(**stated | always))
            named = whole["items"] if new and items is None else items
            if named is not None:
                gone = t.offer_items.c.offer_id == offer_id
                connection.execute(sa.delete(t.offer_items).where(gone))
                rows = [{"offer_id": offer_id, "item_id": item} for item in dict.fromkeys(named)]
                if rows:
                    connection.execute(sa.insert(t.offer_items), rows)
            own = {name: given[name] for name in given if name not in (*OFFERS.names, "items")}
            self._put_own(connection, OFFERS.name, offer_id, own)
            self._raise(connection, EVERYBODY)
        return new

    def offer(self, offer_id: str) -> Row | None:
        """Read one offer with its ``items`` and the owner's own columns; times in microseconds.

        None where it is not there.
        """
        with self._reading.connect() as connection:
            found = stored.offers_where(connection, t.offers.c.offer_id == offer_id)
        return found[0] if found else None

    def offers(self, since: int = 0) -> list[Row]:
        """Read the offers that were put at or after a moment (microseconds), as `offer` does."""
        with self._reading.connect() as connection:
            return stored.offers_where(connection, t.offers.c.changed_at >= since)


class KeyRegister(Database):
    """The API keys, of which only digests are known."""

    def add_key(
        self, name: str, digest: str, scopes: Sequence[str], expires_at: int | None
    ) -> bool:
        """Keep an API key's digest; False where the name is taken."""
        row = {"name": name, "digest": digest, "scopes": " ".join(scopes), "expires_at": expires_at}
        with self._engine.begin() as connection:
            return self._add(connection, t.api_keys, row)

    def keys(self) -> tuple[KeyRow, ...]:
        """Read all API keys, by name."""
        with self._reader.reading() as fetch:
            rows = fetch("keys", {})
        return tuple(KeyRow(row[0], row[1], tuple(row[2].split()), row[3]) for row in rows)

    def drop_key(self, name: str) -> bool:
        """Take an API key out; False where there is none of that name."""
        with self._engine.begin() as connection:
            statement = sa.delete(t.api_keys).where(t.api_keys.c.name == name)
            return connection.execute(statement).rowcount == 1
