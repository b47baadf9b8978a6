"""The contract of report.json as a JSON Schema (draft 2020-12): what a reader may rely on.

Named parts keep their meaning; new ones may join beside them, so a reader must leave alone what it
does not know. A figure that is not there is null, never NaN.
"""

from __future__ import annotations

from typing import Any

VERSION = "https://json-schema.org/draft/2020-12/schema"
NUMBER: dict[str, Any] = {"type": ["number", "null"]}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
SHARE: dict[str, Any] = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
TEXT: dict[str, Any] = {"type": "string"}


def report_schema() -> dict[str, Any]:
    """Return the schema of what `python -m evaluation report` writes as report.json."""
    return {
        "$schema": VERSION,
        "title": "Evaluation report",
        "description": "What one run of the evaluation measured, how, and what it does not say.",
        **_record(
            {
                "identity": _ref("identity", "What was evaluated, with what, by which run."),
                "protocol": _ref("protocol", "How; empty where there is nothing to rank."),
                "ranking": _map(
                    _map(_map(_ref("estimate"))),
                    "ranking[slice][policy][metric]; slices all, warm, cold and others; metrics "
                    "such as ndcg@10, as evaluation.metrics defines them. Empty slices where "
                    "nothing is ranked.",
                    required=("all", "warm", "cold"),
                ),
                "hybrid_against": _map(
                    _map(_ref("difference")),
                    "hybrid_against[slice][policy]: hybrid - policy, NDCG@10, same customers.",
                ),
                "ablation": _map(
                    _map(_ref("difference")),
                    "ablation[slice][part]: what the hybrid loses without a part, NDCG@10.",
                ),
                "online": {
                    **_record(
                        {"ctr": _ref("measured"), "conversion": _ref("measured")},
                        optional={
                            "uplift": {
                                "type": ["object", "string"],
                                "description": "Incremental conversions, where a holdout is named.",
                            }
                        },
                    ),
                    "description": "Of logged impressions only; a text says why it is not "
                    "measured.",
                },
                "segments": _record(
                    {
                        "k": {**COUNT, "description": "How many; 0 for none."},
                        "summary": {"type": "array", "items": {"type": "object"}},
                    }
                ),
                "anomalies": _record(
                    {
                        "customers": COUNT,
                        "flagged": COUNT,
                        "kinds": _map(COUNT, "Flagged customers by kind."),
                        "examples": {"type": "array", "items": {"type": "object"}},
                    }
                ),
                "notes": {
                    "type": "array",
                    "items": TEXT,
                    "description": "What the reader must know.",
                },
            },
            optional={
                "depth": {
                    "type": ["object", "null"],
                    "description": "Tuned baselines by slice, ranking among what was shown, "
                    "slices, exposure, breadth, reliability of probabilities.",
                },
                "checks": {
                    "type": "array",
                    "items": _ref("check"),
                    "description": "Questions by which the report can be refused.",
                },
                "since": _ref("comparison", "The change since another report."),
            },
        ),
        "$defs": _definitions(),
    }


def _definitions() -> dict[str, Any]:
    interval = {"value": NUMBER, "low": NUMBER, "high": NUMBER}
    return {
        "estimate": {
            **_record({**interval, "n": COUNT}),
            "description": "A mean over n customers (or a rate over n impressions) with its 95 % "
            "interval; nulls where n is 0.",
        },
        "measured": {"anyOf": [_ref("estimate"), TEXT]},
        "difference": {
            **_record(
                {**interval, "p_value": SHARE, "wins": COUNT, "losses": COUNT, "n": COUNT},
                optional={
                    "ties": COUNT,
                    "effect_size": {**NUMBER, "description": "Cohen's d_z."},
                    "detectable": {
                        **NUMBER,
                        "description": "Least true difference found with 80 % power.",
                    },
                },
            ),
            "description": "A paired difference of means, its 95 % interval, and the chance of one "
            "as large by chance.",
        },
        "check": {
            **_record(
                {
                    "name": TEXT,
                    "passed": {
                        "type": ["boolean", "null"],
                        "description": "null where it could not be asked; told says why.",
                    },
                    "told": TEXT,
                    "figures": _map({"type": ["number", "string", "null"]}, "What was measured."),
                }
            )
        },
        "change": _record(
            {
                "slice": TEXT,
                "policy": TEXT,
                "metric": TEXT,
                "ours": NUMBER,
                "theirs": NUMBER,
                **interval,
                "p_value": SHARE,
                "n": COUNT,
                "how": {"enum": ["paired", "unpaired", "not comparable"]},
            }
        ),
        "comparison": _record(
            {
                "comparable": {"type": "boolean"},
                "differs": {"type": "array", "items": TEXT},
                "told": TEXT,
                "changes": {"type": "array", "items": _ref("change")},
            }
        ),
        "identity": _record(
            {
                "data": {**TEXT, "description": "What the data is called."},
                "fingerprint": {**TEXT, "pattern": "^[0-9a-f]{12}$"},
                "rows": _map(COUNT, "Rows by table."),
                "seed": COUNT,
                "python": TEXT,
                "versions": _map({"type": ["string", "null"]}, "Of libraries, by name."),
                "seconds": {"type": "number", "minimum": 0},
            },
            optional={
                "model": {"type": "object", "description": "recommends, calibrated, weights."},
                "machine": TEXT,
                "system": TEXT,
                "cores": {"type": ["integer", "null"], "minimum": 1},
                "peak_memory_mib": {"type": ["number", "null"], "minimum": 0},
                "commit": {
                    "anyOf": [
                        _record({"hash": TEXT, "dirty": {"type": ["boolean", "null"]}}),
                        {"type": "null"},
                    ],
                    "description": "Of the code; null where it is no git checkout.",
                },
            },
        ),
        "protocol": {
            "anyOf": [
                {"type": "object", "maxProperties": 0},
                _record(
                    {
                        "split": TEXT,
                        "at": {**TEXT, "format": "date-time"},
                        "until": {**TEXT, "format": "date-time"},
                        "relevant": {"enum": ["redemption", "click", "purchase"]},
                        "candidates": COUNT,
                        "customers": COUNT,
                        "warm": COUNT,
                        "cold": COUNT,
                        "pairs": COUNT,
                    },
                    optional={
                        "set_aside": _map(COUNT, "What could not be listed, by reason."),
                        "hashes": _map(TEXT, "Of the candidates and the tested pairs."),
                    },
                ),
            ]
        },
    }


def _record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe an object with named parts, beside which others may stand."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": True,
    }


def _map(values: dict[str, Any], told: str = "", required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Describe an object whose names are data, each with the same kind of value."""
    found: dict[str, Any] = {"type": "object", "additionalProperties": values}
    if told:
        found["description"] = told
    if required:
        found["required"] = list(required)
    return found


def _ref(name: str, told: str = "") -> dict[str, Any]:
    found = {"$ref": f"#/$defs/{name}"}
    return {**found, "description": told} if told else found
