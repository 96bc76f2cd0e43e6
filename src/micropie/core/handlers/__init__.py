"""What a handler's signature says: how it is called, and what its result becomes."""
