"""The tests keep what they store in a folder of their own, and know the password."""

import os
import tempfile

os.environ["DATA"] = tempfile.mkdtemp()
os.environ["PASSWORD"] = "four words are enough"  # noqa: S105
