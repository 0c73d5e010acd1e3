"""The paper's subset of UCF-101: the 24 classes with boxes, and two validation groups of each."""

# In label order, which is alphabetical.
VALIDATION_GROUPS: dict[str, tuple[int, int]] = {
    "Basketball": (10, 23),
    "BasketballDunk": (9, 13),
    "Biking": (18, 21),
    "CliffDiving": (11, 12),
    "CricketBowling": (14, 17),
    "Diving": (15, 19),
    "Fencing": (8, 19),
    "FloorGymnastics": (10, 19),
    "GolfSwing": (9, 24),
    "HorseRiding": (13, 21),
    "IceDancing": (10, 23),
    "LongJump": (18, 21),
    "PoleVault": (10, 17),
    "RopeClimbing": (20, 21),
    "SalsaSpin": (12, 14),
    "SkateBoarding": (14, 15),
    "Skiing": (10, 14),
    "Skijet": (9, 22),
    "SoccerJuggling": (10, 13),
    "Surfing": (15, 17),
    "TennisSwing": (15, 16),
    "TrampolineJumping": (11, 20),
    "VolleyballSpiking": (20, 25),
    "WalkingWithDog": (14, 19),
}
ANNOTATED_CLASSES = tuple(VALIDATION_GROUPS)
