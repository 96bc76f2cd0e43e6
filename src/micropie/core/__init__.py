"""The framework itself: what the standalone file contains, on the standard library alone."""
