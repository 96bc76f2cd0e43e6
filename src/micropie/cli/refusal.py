"""What ends a command: one line for the user, and the exit status."""


class Refusal(Exception):  # noqa: N818 - what the user is told, not a fault of ours
    """The command cannot go on; its text is all that the user sees."""

    status = 1


class UsageRefusal(Refusal):
    """What was typed makes no sense."""

    status = 2
