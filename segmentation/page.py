"""Pages that need no network: a template, its charts, and the script that draws them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import altair as alt
import vl_convert
from jinja2 import ChoiceLoader, Environment, PackageLoader, select_autoescape

# What the charts' script gives to the page.
EMBED = "window.vegaEmbed = vegaEmbed;"


def render_template(
    package: str,
    template: str,
    charts: Mapping[str, alt.TopLevelMixin],
    filters: Mapping[str, Callable[..., str]],
    **values: Any,
) -> str:
    """Render a template that extends ``page.html``.

    Parameters
    ----------
    package, template : str
        Whose template, and its name.
    charts : mapping of str to chart
        By the id of the element that shows each.
    filters : mapping of str to callable
        For the template, besides Jinja's own.
    values
        What the template reads.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("segmentation")]),
        autoescape=select_autoescape(),
        trim_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(template).render(
        # A "</" inside a script would end it.
        charts={
            name: json.dumps(chart.to_dict()).replace("</", "<\\/")
            for name, chart in charts.items()
        },
        script=_script(),
        **values,
    )


@cache
def _script() -> str:
    """Bundle the script that draws charts: a second of work, the same for every page."""
    return str(vl_convert.javascript_bundle(EMBED))
