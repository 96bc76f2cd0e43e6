"""From a class to its tree of routes, from a path to a handler, and back to a URL."""
