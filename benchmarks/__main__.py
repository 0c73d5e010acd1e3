"""`python -m benchmarks QUESTION`, in the root of a checkout."""

import sys

from benchmarks import main
from fbm.utils.errors import UserError
from fbm.utils.messages import print_error, user_message

try:
    sys.exit(main(sys.argv[1:]))
except (UserError, OSError) as error:
    if (line := user_message(error)) is None:
        raise
    print_error(line)
    sys.exit(1)
