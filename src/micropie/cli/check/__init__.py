"""`micropie check`: the subject of a check, the rules, and the command."""
