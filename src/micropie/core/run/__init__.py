"""An application served by the server that is installed."""
