"""What is taken out of a run's records before they are published."""

import math
from pathlib import Path
from typing import Any


def publishable(value: Any) -> Any:
    """Plain values with absolute paths cut to their last name, and numbers that JSON lacks (nan, inf) as None.

    Such paths name the machine's folders and its user, and lead nowhere elsewhere.
    """
    if isinstance(value, dict):
        return {key: publishable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [publishable(inner) for inner in value]
    if isinstance(value, str) and value.startswith(("/", "~")):
        return Path(value).name
    return None if isinstance(value, float) and not math.isfinite(value) else value
