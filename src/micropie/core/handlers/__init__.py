"""A handler's signature, read once: where its arguments come from, and what of its result goes out."""
