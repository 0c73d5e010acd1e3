"""`python -m benchmarks QUESTION`, in the root of a checkout."""

import sys

from benchmarks import main
from fbm.config.overrides import expand_home_word
from fbm.utils.messages import exit_status

sys.exit(exit_status(lambda: main([expand_home_word(word) for word in sys.argv[1:]])))
