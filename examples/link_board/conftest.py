"""The tests keep what they store in a folder of their own."""

import os
import tempfile

os.environ["DATA"] = tempfile.mkdtemp()
