"""The hooks of middlewares, around every request."""
