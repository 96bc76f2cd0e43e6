"""Errors that end a command with one line for the user, and their exit status."""


class CommandError(Exception):
    """The command cannot go on; its text is all that the user sees."""

    status = 1


class UsageError(CommandError):
    """The command was called in a way that makes no sense."""

    status = 2
