from fbm.report.looks import COLOURS, MARKERS, looks


def test_the_papers_three_keep_their_colours():
    assert [look.colour for look in looks(["ours", "random", "autoencoder"])] == [2, 0, 1]


def test_others_take_turns_and_the_same_initialisation_keeps_its_colour():
    made = looks(["mine", "ours", "yours", "mine", *"abcde"])
    assert [look.colour for look in made[:4]] == [3, 2, 4, 3]
    assert [look.marker for look in made[:4]] == [0, 0, 0, 1]
    assert all(3 <= look.colour < len(COLOURS) for look in made[4:])


def test_there_is_always_a_marker():
    assert {look.marker for look in looks(["ours"] * 20)} == set(range(len(MARKERS)))
