"""`python -m fbm`, which torchrun wants: the same as the command `fbm`."""

import sys

from fbm.cli.main import main

sys.exit(main())
