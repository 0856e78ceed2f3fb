"""A tool may allocate as much as an argument says, and property tests find large ones.

With a limit it raises MemoryError, which is an answer; without one the machine ends the test run.
"""

import resource

_LIMIT_BYTES = 5 * 1024**3

_, _hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (_LIMIT_BYTES, _hard))
