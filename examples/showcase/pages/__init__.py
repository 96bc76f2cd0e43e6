"""The pages of the tour, each a controller in a module of its own."""
