"""Past moments: what was on offer then, what had been shown, and what was taken next."""
