"""The tables of the service's database, for SQLite and PostgreSQL alike.

Times are whole microseconds since 1970 in UTC, so that every database compares them the same way.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from data.schema import LONGEST_ID, LONGEST_LABEL, LONGEST_TEXT

metadata = MetaData()

customers = Table(
    "customers",
    metadata,
    Column("customer_id", String(LONGEST_ID), primary_key=True),
    Column("gender", String(LONGEST_LABEL)),
    Column("age", Float),
    Column("annual_income", Float),
    Column("spending_score", Float),
    Column("city", String(LONGEST_ID)),
    Column("signup_at", BigInteger),
)

survey_answers = Table(
    "survey_answers",
    metadata,
    Column("customer_id", String(LONGEST_ID), primary_key=True),
    Column("question", String(LONGEST_TEXT), primary_key=True),
    Column("answer", String(LONGEST_ID), nullable=False),
)

# `recorded_at` is when the fact reached us: a loaded row's is its occurrence, a posted row's now.
# What a bundle was trained on and what came after it are told apart by it, late rows included.
interactions = Table(
    "interactions",
    metadata,
    Column("row_id", Integer, primary_key=True, autoincrement=True),
    Column("event_id", String(LONGEST_ID), unique=True),
    Column("customer_id", String(LONGEST_ID), nullable=False),
    Column("offer_id", String(LONGEST_ID), nullable=False),
    Column("event_type", String(16), nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("position", Float),
    Column("propensity", Float),
    Column("decision_id", String(LONGEST_ID)),
    Column("policy", String(LONGEST_LABEL)),
    Column("value", Float),
    Index("interactions_of_customer", "customer_id", "recorded_at"),
)

transactions = Table(
    "transactions",
    metadata,
    Column("row_id", Integer, primary_key=True, autoincrement=True),
    Column("customer_id", String(LONGEST_ID), nullable=False),
    Column("transaction_id", String(LONGEST_ID)),
    Column("line", Integer, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("amount", Float, nullable=False),
    Column("item_id", String(LONGEST_ID)),
    Column("category", String(LONGEST_TEXT)),
    Column("merchant", String(LONGEST_TEXT)),
    Column("quantity", Float),
    Column("discount", Float),
    Column("channel", String(LONGEST_LABEL)),
    UniqueConstraint("customer_id", "transaction_id", "line"),
    Index("transactions_of_customer", "customer_id", "recorded_at"),
)

# When transactions were corrected, and when what is gone had been recorded: a model of the time
# between learnt what is out of date.
corrections = Table(
    "corrections",
    metadata,
    Column("customer_id", String(LONGEST_ID), primary_key=True),
    Column("recorded_at", BigInteger, primary_key=True),
    Column("corrected_at", BigInteger, nullable=False),
)

# What tables have beyond the known columns, of customers, offers and items; values are JSON.
attributes = Table(
    "attributes",
    metadata,
    Column("of", String(16), primary_key=True),
    Column("id", String(LONGEST_ID), primary_key=True),
    Column("name", String(LONGEST_ID), primary_key=True),
    Column("value", Text, nullable=False),
)

# `changed_at` is when an offer was put; zero for a loaded one, which a model may know already.
offers = Table(
    "offers",
    metadata,
    Column("offer_id", String(LONGEST_ID), primary_key=True),
    Column("title", Text),
    Column("category", Text),
    Column("tags", Text),
    Column("merchant", Text),
    Column("kind", Text),
    Column("discount", Float),
    Column("reward", Float),
    Column("cost", Float),
    Column("margin", Float),
    Column("min_spend", Float),
    Column("valid_from", BigInteger),
    Column("valid_until", BigInteger),
    Column("repeatable", Boolean),
    Column("max_redemptions", Float),
    Column("changed_at", BigInteger, nullable=False, server_default="0"),
    Index("offers_changed", "changed_at"),
)

offer_items = Table(
    "offer_items",
    metadata,
    Column("offer_id", String(LONGEST_ID), primary_key=True),
    Column("item_id", String(LONGEST_ID), primary_key=True),
)

items = Table(
    "items",
    metadata,
    Column("item_id", String(LONGEST_ID), primary_key=True),
    Column("category", Text),
    Column("department", Text),
    Column("brand", Text),
    Column("merchant", Text),
    Column("price", Float),
)

# How often something was recorded of a customer (key `c:<id>`), or of everybody (key `*`): whoever
# keeps a list in memory sees by it that the list is out of date.
revisions = Table(
    "revisions",
    metadata,
    Column("key", String(LONGEST_ID + 2), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

# A key is never stored, only its digest.
api_keys = Table(
    "api_keys",
    metadata,
    Column("name", String(LONGEST_ID), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", String(64), nullable=False),
    Column("expires_at", BigInteger),
)

# Datasets that were loaded whole, by fingerprint.
loads = Table("loads", metadata, Column("fingerprint", String(64), primary_key=True))

PEOPLE = (customers, survey_answers, interactions, transactions)  # facts about somebody
FACTS = {table.name: table for table in (*PEOPLE, offers, offer_items, items)}
