"""A synthetic data set in UCF-101's own layout, made in seconds, with every factor known.

Moving patterned objects over patterned scenes that stand or move slowly, with as much large structure and change as
UCF-101 has. The class is the object's motion; each class also favours one object kind and one scene kind, as the
classes of UCF-101 favour persons and places.
"""

from fbm.data.demo.make import FACTORS, MARKER, make_demo
from fbm.data.demo.settings import CLASSES, OBJECTS, SCENES

__all__ = ["CLASSES", "FACTORS", "MARKER", "OBJECTS", "SCENES", "make_demo"]
