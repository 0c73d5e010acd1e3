from fbm.training.callbacks.averaging import WeightAverage
from fbm.training.callbacks.confusion import ConfusionPicture
from fbm.training.callbacks.gallery import Gallery
from fbm.training.callbacks.metadata import CheckpointMetadata
from fbm.training.callbacks.non_finite import NonFiniteGuard
from fbm.training.callbacks.preemption import PreemptionCheckpoint
from fbm.training.callbacks.probes import OnlineProbes
from fbm.training.callbacks.throughput import Throughput

__all__ = [
    "CheckpointMetadata",
    "ConfusionPicture",
    "Gallery",
    "NonFiniteGuard",
    "OnlineProbes",
    "PreemptionCheckpoint",
    "Throughput",
    "WeightAverage",
]
