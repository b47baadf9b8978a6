"""`python -m recommender`: train a model, make lists, explain them, publish."""

from __future__ import annotations

from data.console import command_group, run
from recommender.erasing import erase, verify_erasure
from recommender.explaining_command import explain
from recommender.listing_command import recommend
from recommender.releasing import publish, rollback
from recommender.training_command import train

app = command_group("Train a model, make lists of offers, and explain them.")
for command in (train, recommend, explain, publish, rollback, erase, verify_erasure):
    app.command()(command)


if __name__ == "__main__":
    run(app)
