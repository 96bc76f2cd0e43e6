"""Where sessions live between requests, and the rules of their cookie."""
