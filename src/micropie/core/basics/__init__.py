"""The foundation: types, errors, headers, JSON, threads."""
