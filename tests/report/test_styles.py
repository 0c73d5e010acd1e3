from fbm.report.styles import COLOURS, MARKERS, line_styles


def test_the_papers_three_keep_their_colours():
    assert [style.colour for style in line_styles(["ours", "random", "autoencoder"])] == [2, 0, 1]


def test_others_take_turns_and_the_same_initialisation_keeps_its_colour():
    made = line_styles(["mine", "ours", "yours", "mine", *"abcde"])
    assert [style.colour for style in made[:4]] == [3, 2, 4, 3]
    assert [style.marker for style in made[:4]] == [0, 0, 0, 1]
    assert all(3 <= style.colour < len(COLOURS) for style in made[4:])


def test_there_is_always_a_marker():
    assert {style.marker for style in line_styles(["ours"] * 20)} == set(range(len(MARKERS)))
