"""How batteries reach a store outside of the process: a Redis server, and what to say while one does not answer."""
