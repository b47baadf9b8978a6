"""What stays for long is left out of the search for garbage, so that requests do not pay for it."""

from __future__ import annotations

import gc


def settle() -> None:
    """Clear up, and take all that is there now for what stays: modules, routes, the model.

    Every so often Python goes through everything that might be garbage: hundreds of thousands of
    objects here, a third of the time of many lists at once. To be called at the start and when
    another model took over: then what has gone meanwhile is cleared up as well.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
