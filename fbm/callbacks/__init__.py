from fbm.callbacks.carry import Carry
from fbm.callbacks.confusion import ConfusionPicture
from fbm.callbacks.finite import Finite
from fbm.callbacks.gallery import Gallery
from fbm.callbacks.probes import OnlineProbes
from fbm.callbacks.resume_point import ResumePoint
from fbm.callbacks.throughput import Throughput

__all__ = ["Carry", "ConfusionPicture", "Finite", "Gallery", "OnlineProbes", "ResumePoint", "Throughput"]
