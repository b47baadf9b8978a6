"""What the service is made of: the model being served, the facts, the clock.

The model changes under way: a bundle that is published takes the place of the one before between
two requests, and offers that are put are added to it. A request takes `House.current` once and
keeps to it.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from pathlib import Path

import pandas as pd

from api.afar import Afar
from api.breaker import Breaker
from api.erasures import Erasures
from api.served import Model, serve, since_of
from api.shelf import Shelf
from api.watching import state_of, watch
from data.errors import BundleError, BusyError
from data.store import Store
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.serving.arrivals import with_arrivals
from recommender.serving.withholding import Rules
from recommender.storage.erasure import Receipt, erased
from recommender.storage.model_folder import load

log = logging.getLogger("api.house")

# Seconds that an erasure waits for another writer: less than a request may take, so that whoever
# asks is told why. It waits in threads that only erasures use; no other request does.
WRITER_WAIT = 20.0


class Behind(Exception):
    """The model does not know yet what was recorded of everybody."""


class House:
    """Everything a request reaches.

    Parameters
    ----------
    bundle : Bundle
        The model at first.
    service : Service or None
        None where the model recommends nothing.
    store : Store
        The facts.
    at : Timestamp, optional
        The moment lists are for; the present if None.
    folder : Path, optional
        The model folder to watch for another bundle; without one the model stays.
    rules : mapping, optional
        What is withheld from flagged customers, for the models to come.
    began : int, optional
        Microseconds since 1970 when the service began: now if None. Of what was on record by then
        nothing counts that happened after the moment lists are for.
    """

    def __init__(
        self,
        bundle: Bundle,
        service: Service | None,
        store: Store,
        at: pd.Timestamp | None = None,
        *,
        folder: Path | None = None,
        rules: Rules | None = None,
        began: int | None = None,
    ) -> None:
        self.store = store
        self.at = at
        self.began = pd.Timestamp.now(tz="UTC").value // 1000 if began is None else began
        self._folder, self._rules = folder, rules
        self.shelf, self.breaker, self.afar = Shelf(), Breaker(), Afar(store)
        self.erasures = Erasures(self.erase)
        self._model = Model(bundle, bundle, service, everybody=0)
        state = None if folder is None else state_of(folder)
        # One published since the bundle was loaded is looked at first.
        self._seen = state if state is not None and state[0] == bundle.version else None
        self._changing = threading.Lock()
        self._closing = threading.Event()

    @property
    def model(self) -> Model:
        """The model being served."""
        return self._model

    @property
    def bundle(self) -> Bundle:
        """The bundle being served, with the offers that came after it."""
        return self._model.bundle

    @property
    def service(self) -> Service | None:
        """The verb of serving; None where the model recommends nothing."""
        return self._model.service

    @property
    def offer_ids(self) -> frozenset[str]:
        """The offers there are."""
        return self._model.offer_ids

    def now(self) -> pd.Timestamp:
        """Return the moment lists are for."""
        return pd.Timestamp.now(tz="UTC") if self.at is None else self.at

    def current(self, everybody: int, *, at_once: bool = False) -> Model:
        """Return the model that knows what concerns everybody up to a revision.

        Parameters
        ----------
        at_once : bool
            Do not make it if that is needed: that takes long.

        Raises
        ------
        SQLAlchemyError
            The database does not answer.
        Behind
            The model has to be made.
        """
        model = self._model
        if model.everybody == everybody:
            return model
        if at_once:
            raise Behind
        with self._changing:
            model = self._model  # another thread may have been quicker, or another model come
            if model.everybody == everybody:
                return model
            # The request may have read an older revision than the model knows.
            _, everybody = self.store.revisions_of_many([])
            if model.everybody == everybody:
                return model
            return self._renew(model.trained, everybody)

    def erase(self, customer_id: str, asked: float | None = None) -> Receipt:
        """Take a customer out of the database, of what is in memory and of every stored model.

        Parameters
        ----------
        asked : float, optional
            The moment of `time.monotonic` from which `WRITER_WAIT` counts; now if None.

        Raises
        ------
        SQLAlchemyError, OSError, BusyError
            Something did not succeed; asking again does the rest.
        """
        waited = 0.0 if asked is None else time.monotonic() - asked
        # Nobody is served from memory whose erasure still waits for the folder, or failed there.
        forget = partial(self._forget, customer_id)
        wait = max(0.0, WRITER_WAIT - waited)
        try:
            receipt = erased(self.store, self._folder, customer_id, wait, forget)
        except (OSError, BusyError):  # of the folder: the database is done
            forget()
            raise
        forget()  # a model that took over meanwhile may hold them as well
        # What the folder holds now may be another's work as well: the next look reads it.
        return receipt

    def _forget(self, customer_id: str) -> None:
        """Take a customer out of what is in memory."""
        with self._changing:
            model = self._model
            trained, bundle = (one.without(customer_id) for one in (model.trained, model.bundle))
            if trained is model.trained and bundle is model.bundle:
                self.shelf.clear()
            else:
                self._put(trained, bundle, model.everybody)

    def watch(self) -> threading.Thread:
        """Start looking for another bundle in the model folder, until `close`."""
        return watch(self.look, self._closing)

    def look(self) -> bool:
        """Serve the bundle that is current in the folder; one that is damaged is refused.

        Returns
        -------
        bool
            Whether another model is served now.

        Raises
        ------
        SQLAlchemyError
            The database does not answer; the next look tries again.
        """
        if self._folder is None:
            return False
        while (state := state_of(self._folder)) != self._seen:
            if self._model.everybody:
                self.store.ping()  # before the loading, which takes longer
            try:
                bundle = load(self._folder)
            except BundleError as error:
                self._seen = state  # refused once, not every second
                log.error("model refused: %s Still serving %s.", error, self._model.bundle.version)
                return False
            with self._changing:
                if state_of(self._folder) != state:
                    continue  # something was published meanwhile, or somebody erased
                self._renew(bundle, self._model.everybody)
                self._seen = state
            log.warning("model %s takes over", bundle.version)
            return True
        return False

    def close(self) -> None:
        """Stop watching and give the connections back."""
        self._closing.set()
        self.afar.close()
        self.erasures.close()
        self.store.close()

    def _renew(self, trained: Bundle, everybody: int) -> Model:
        """Serve a bundle with the offers that came after it; the caller holds the lock."""
        arrived = self.store.offers(since_of(trained)) if everybody else []
        return self._put(trained, with_arrivals(trained, arrived), everybody)

    def _put(self, trained: Bundle, bundle: Bundle, everybody: int) -> Model:
        """Serve a bundle from now on; the caller holds the lock."""
        self._model = Model(trained, bundle, serve(bundle, self._rules), everybody)
        self.shelf.clear()
        return self._model
