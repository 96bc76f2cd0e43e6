"""Requests: their bodies, uploads and sessions, and WebSockets."""
