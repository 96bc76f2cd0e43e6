"""Jinja2."""
