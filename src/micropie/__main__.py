"""`python -m micropie`: the command line."""

import sys

from micropie.cli import main

if __name__ == "__main__":
    sys.exit(main())
