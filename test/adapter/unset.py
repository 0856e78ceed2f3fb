"""A module that wants a variable as soon as it is imported, as clients of models do."""

import os

TOOLS = [os.environ["TWINTRACK_TEST_UNSET"]]
