"""Published accuracies on UCF-101, to stand beside one's own: pretrained and tested on UCF-101, RGB, 16 x 112 x 112.

As reported in the named repositories' README files, without intervals or numbers of seeds; not measured here.
Whether a method's other settings (epochs, augmentation, views of a test video) are like one's own is for the reader.
"""

from typing import NamedTuple

DATA = ("ucf101", 101)  # name and number of classes of the data that these are of
IIC, PCL = "BestJuly/IIC", "BestJuly/Pretext-Contrastive-Learning"
RESIDUAL = "PCL, residual frames by default"


class Published(NamedTuple):
    """One method on one encoder; accuracies as shares in 0..1, None where the source has none.

    Attributes:
        fine_tuned: top-1 over videos with all weights fine-tuned.
        recall: R@1, test videos to training videos.
    """

    method: str
    year: int | None
    encoder: str
    fine_tuned: float | None
    recall: float | None
    source: str

    @property
    def label(self) -> str:
        """`VCOP (2019), C3D`."""
        return f"{self.method}{f' ({self.year})' if self.year else ''}, {self.encoder}"


PUBLISHED = (
    Published("random", None, "R3D", 0.545, 0.099, IIC),
    Published("random", None, "R3D-18", None, 0.153, PCL),
    Published("VCOP", 2019, "C3D", 0.656, 0.125, IIC),
    Published("VCOP", 2019, "R3D", 0.649, 0.141, IIC),
    Published("VCOP", 2019, "R(2+1)D", 0.724, 0.107, IIC),
    Published("VCP", 2020, "C3D", 0.685, 0.173, IIC),
    Published("VCP", 2020, "R3D", 0.660, 0.186, IIC),
    Published("VCP", 2020, "R(2+1)D", 0.663, 0.199, IIC),
    Published("PRP", 2020, "C3D", 0.691, 0.232, IIC),
    Published("PRP", 2020, "R3D", 0.665, 0.228, IIC),
    Published("PRP", 2020, "R(2+1)D", 0.721, 0.203, IIC),
    Published("IIC", 2020, "C3D", 0.700, 0.319, IIC),
    Published("IIC", 2020, "R3D", 0.744, 0.365, IIC),
    Published("IIC", 2020, "R(2+1)D", 0.733, 0.347, IIC),
    Published("IIC", 2020, "R3D-18", 0.731, 0.368, IIC),
    Published("Pace", 2020, "R(2+1)D", 0.759, None, PCL),
    Published("Pace", 2020, "R3D-18", None, 0.238, PCL),
    Published("RTT", 2020, "R3D-18", 0.773, 0.261, PCL),
    Published("RTT", 2020, "R(2+1)D", 0.816, None, PCL),
    Published(f"VCOP with {RESIDUAL}", 2021, "C3D", 0.798, None, PCL),
    Published(f"VCOP with {RESIDUAL}", 2021, "R3D", 0.782, None, PCL),
    Published(f"VCOP with {RESIDUAL}", 2021, "R(2+1)D", 0.792, None, PCL),
    Published(f"VCP with {RESIDUAL}", 2021, "C3D", 0.814, None, PCL),
    Published(f"VCP with {RESIDUAL}", 2021, "R3D", 0.811, None, PCL),
    Published(f"VCP with {RESIDUAL}", 2021, "R3D-18", 0.834, 0.551, PCL),
    Published(f"VCP with {RESIDUAL}", 2021, "R(2+1)D", 0.799, None, PCL),
)
