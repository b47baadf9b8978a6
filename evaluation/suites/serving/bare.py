"""A bare FastAPI route that returns a constant: what no service of this kind can be faster than.

The constant is read from the file that ``NBO_BARE`` names.
"""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI, Response

CONSTANT = Path(os.environ["NBO_BARE"]).read_bytes()

app = FastAPI()


@app.get("/recommend/{customer_id}")
async def constant(customer_id: str) -> Response:
    """Return the constant, whoever asks."""
    del customer_id
    return Response(CONSTANT, media_type="application/json")
