"""What goes wrong: who is asked for an answer, and what the client and the log are told."""
