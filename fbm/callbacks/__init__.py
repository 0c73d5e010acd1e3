from fbm.callbacks.carry import Carry
from fbm.callbacks.gallery import Gallery
from fbm.callbacks.throughput import Throughput

__all__ = ["Carry", "Gallery", "Throughput"]
