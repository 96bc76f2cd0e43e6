"""From what a client sends to the type that a handler wants."""
