"""A WebSocket: its messages in and out, its limits, its end."""
