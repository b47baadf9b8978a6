"""`python -m recommender`: train a model, make lists, explain them, publish."""

from __future__ import annotations

from data.console import command_group, run
from recommender.commands.erasing import erase, verify_erasure
from recommender.commands.explaining import explain
from recommender.commands.listing import recommend
from recommender.commands.releasing import publish, rollback
from recommender.commands.training import train

app = command_group("Train a model, make lists of offers, and explain them.")
for command in (train, recommend, explain, publish, rollback, erase, verify_erasure):
    app.command()(command)


if __name__ == "__main__":
    run(app)
