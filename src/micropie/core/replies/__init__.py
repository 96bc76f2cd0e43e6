"""Replies: made of a handler's result, and sent."""
