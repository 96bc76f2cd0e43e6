"""MicroPie: a class is the whole web application."""

__version__ = "1.0.0a1"
