"""What the servers of suite `service` serve: a world, two models, a key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.ingest import read_folder, write_folder
from data.keys import digest_of, new_key
from data.store import Store
from data.synthetic import WorldParameters, generate
from recommender.storage.model_folder import save
from recommender.training import train

CUSTOMERS, OFFERS, DAYS = 5000, 200, 120


@dataclass(frozen=True)
class Home:
    """A place to serve from.

    Attributes
    ----------
    folder : Path
        What ``NBO_HOME`` is for the servers.
    data, model : Path
        The dataset and the model folder.
    versions : tuple of str
        Two models of the folder; the first is the current one.
    customers, offers : tuple of str
    at : str
        A moment at which there are offers.
    key : str
        An API key that may do everything.
    """

    folder: Path
    data: Path
    model: Path
    versions: tuple[str, str]
    customers: tuple[str, ...]
    offers: tuple[str, ...]
    at: str
    key: str

    @property
    def database(self) -> str:
        """URL of the database."""
        return f"sqlite:///{self.folder / 'nbo.db'}"


def make_home(folder: Path) -> Home:
    """Generate a world, train two models and load the facts.

    Parameters
    ----------
    folder : Path
        An empty folder.
    """
    data, model = folder / "data", folder / "model"
    write_folder(generate(WorldParameters(customers=CUSTOMERS, offers=OFFERS, days=DAYS)), data)
    dataset = read_folder(data).dataset
    other = save(train(dataset, seed=1), model)
    bundle = save(train(dataset), model)
    home = Home(
        folder=folder,
        data=data,
        model=model,
        versions=(bundle.version, other.version),
        customers=tuple(str(name) for name in bundle.customers.ids),
        offers=tuple(str(name) for name in dataset.offers["offer_id"]),
        at=bundle.at,
        key=new_key(),
    )
    fill(home.database, home)
    return home


def fill(database: str, home: Home) -> None:
    """Load the facts of a home, and its key, into an empty database."""
    store = Store.open(database)
    store.load(read_folder(home.data).dataset)
    store.add_key("suite", digest_of(home.key), ("admin",), None)
    store.close()
