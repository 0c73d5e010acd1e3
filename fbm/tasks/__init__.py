"""Lightning modules, one a task: losses, metrics, pictures."""

from fbm.tasks.autoencode import Autoencode
from fbm.tasks.classify import Classify
from fbm.tasks.contrast import Contrast
from fbm.tasks.disentangle import Disentangle
from fbm.tasks.disentangle_contrast import ContrastiveDisentangle
from fbm.tasks.order import ClipOrder

__all__ = ["Autoencode", "Classify", "ClipOrder", "Contrast", "ContrastiveDisentangle", "Disentangle"]
