"""Lightning modules, one a task: losses, metrics, pictures."""

from fbm.tasks.autoencode import Autoencode
from fbm.tasks.classify import Classify
from fbm.tasks.disentangle import Disentangle

__all__ = ["Autoencode", "Classify", "Disentangle"]
