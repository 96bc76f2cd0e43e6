"""The start and the stop of an application."""
