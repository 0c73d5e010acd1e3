import shutil
from collections import Counter

import pytest

from fbm.data.dataset import Video
from fbm.data.datasets.ucf24 import ANNOTATED_CLASSES, VALIDATION_GROUPS
from fbm.data.datasets.ucf101 import UCF101, check_no_leak, read_split_file
from fbm.utils.errors import UserError


def make_root(path, train, test=(), classes=None, end="\n"):
    """A root with empty class folders and these lists."""
    classes = classes or sorted({line.split("/")[0] for line in [*train, *test]})
    for name in classes:
        (path / "UCF-101" / name).mkdir(parents=True)
    (path / "ucfTrainTestlist").mkdir()
    for part, lines in (("train", train), ("test", test)):
        text = "".join(line + end for line in lines)
        (path / "ucfTrainTestlist" / f"{part}list01.txt").write_bytes(text.encode())
    return path


def lines(action, groups, clips=2, label=None):
    label = f" {label}" if label else ""
    return [f"{action}/v_{action}_g{g:02}_c{c:02}.avi{label}" for g in groups for c in range(1, clips + 1)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("label", [None, 7])
def test_a_list_reads_alike_with_either_line_end_and_with_or_without_labels(tmp_path, end, label):
    file = tmp_path / "list.txt"
    file.write_bytes(("".join(line + end for line in lines("Biking", [3], label=label)) + end).encode())
    assert read_split_file(file) == ["Biking/v_Biking_g03_c01", "Biking/v_Biking_g03_c02"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line", ['"{}" 7', "{},7", "{};7", "{}\t7", "'{}'", '"{}","Biking"', "  {}   7  "])
def test_a_list_may_have_quotes_columns_and_a_byte_order_mark(tmp_path, line, encoding):
    file = tmp_path / "list.txt"
    for head in ("", "name,label\n"):
        file.write_text(head + "".join(line.format(name) + "\n" for name in lines("Biking", [3])), encoding=encoding)
        assert read_split_file(file) == ["Biking/v_Biking_g03_c01", "Biking/v_Biking_g03_c02"]


def test_a_list_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"a\0b")
    with pytest.raises(UserError, match=r"list.txt is not text: it should hold one CLASS/v_CLASS_gXX_cYY.avi a line"):
        read_split_file(tmp_path / "list.txt")


@pytest.mark.parametrize(
    "bad",
    [
        "../../x.avi 1",
        "/etc/v_etc_g01_c01.avi 1",
        "Biking/../Biking/v_Biking_g01_c01.avi",
        "Biking/v_Biking_g01_c01 1",
        "Biking/v_Biking_g01_c01.mp4",
        "Biking/v_Skiing_g01_c01.avi",
        "Biking/v_Biking_g1_c01.avi",
        "v_Biking_g01_c01.avi",
        "Biking\\v_Biking_g01_c01.avi",
    ],
)
def test_a_line_of_another_form_is_refused_with_its_number(tmp_path, bad):
    file = tmp_path / "list.txt"
    file.write_text(f"Biking/v_Biking_g01_c01.avi 1\n{bad}\n")
    with pytest.raises(UserError, match=r"line 2: .* is not of the form"):
        read_split_file(file)


def test_the_folder_of_handstand_pushups_differs_in_case_from_its_files(tmp_path):
    train = [f"HandstandPushups/v_HandStandPushups_g{g:02}_c01.avi 37" for g in (8, 9, 10)]
    videos = UCF101(make_root(tmp_path, train)).videos()
    assert {video.action for video in videos} == {"HandstandPushups"}
    assert videos[0].path == tmp_path / "UCF-101" / "HandstandPushups" / "v_HandStandPushups_g08_c01.avi"


@pytest.mark.parametrize("asked", ["present", ["HandstandPushups"], ["HandStandPushups"]])
def test_a_folder_in_other_capitals_than_the_list_is_that_class(tmp_path, asked):
    """Archives of UCF-101 differ in it; the class would vanish."""
    train = [f"HandstandPushups/v_HandStandPushups_g{g:02}_c01.avi 37" for g in (8, 9, 10)]
    root = make_root(tmp_path, train, classes=["HandStandPushups"])
    videos = UCF101(root, classes=asked).videos()
    assert {video.action for video in videos} == {"HandstandPushups"}
    assert len(videos) == 3
    assert {video.path.parent for video in videos} == {root / "UCF-101" / "HandStandPushups"}


def test_two_folders_of_one_class_are_refused(tmp_path):
    root = make_root(tmp_path, lines("Biking", [1, 2]), classes=["Biking", "biking"])
    with pytest.raises(UserError, match=r"Biking and .*biking are folders of one class"):
        UCF101(root).videos()


def test_a_class_that_is_asked_for_and_on_no_list_is_refused(tmp_path):
    root = make_root(tmp_path, lines("Biking", [1, 2]), classes=["Biking", "Skiing"])
    assert {video.action for video in UCF101(root).videos()} == {"Biking"}
    with pytest.raises(UserError, match="class 'Skiing': the lists of split 1 name no video of it"):
        UCF101(root, classes=["Biking", "Skiing"]).videos()


def test_labels_follow_the_alphabet_whatever_the_order_asked_for(tmp_path):
    root = make_root(tmp_path, lines("Skiing", [8, 9]) + lines("Biking", [8, 9]))
    assert UCF101(root, classes=["Skiing", "Biking", "Skiing"]).class_names() == ["Biking", "Skiing"]


def test_only_the_chosen_classes_are_listed(tmp_path):
    root = make_root(tmp_path, lines("Skiing", [8, 9]) + lines("Biking", [8, 9]))
    assert {video.action for video in UCF101(root, classes=["Biking"]).videos()} == {"Biking"}


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match=r"data.root is not given"):
        UCF101(None).videos()
    with pytest.raises(UserError, match=r"nowhere: no such folder"):
        UCF101(tmp_path / "nowhere").videos()
    with pytest.raises(UserError, match=r"holds no folder UCF-101"):
        UCF101(tmp_path).videos()
    (tmp_path / "UCF-101").mkdir()
    with pytest.raises(UserError, match=r"UCF-101 is empty"):
        UCF101(tmp_path).videos()
    (tmp_path / "UCF-101" / "Biking").mkdir()
    with pytest.raises(UserError, match=r"no split file .*trainlist01.txt"):
        UCF101(tmp_path).videos()


def test_a_misspelled_class_gets_a_suggestion(tmp_path):
    root = make_root(tmp_path, lines("Biking", [8, 9]))
    with pytest.raises(UserError, match=r"'Bikng' has no folder .*did you mean 'Biking'"):
        UCF101(root, classes=["Bikng"]).videos()


def test_many_classes_that_are_not_there_are_counted_and_named_without_a_guess(tmp_path):
    root = make_root(tmp_path, lines("Biking", [8, 9]))
    for classes in ("annotated", ["Diving", "Fencing"]):
        with pytest.raises(UserError, match="classes have no folder") as caught:
            UCF101(root, classes=classes).videos()
        assert "did you mean" not in str(caught.value)
        assert "data.classes=present (of data=ucf101) takes those that are there" in str(caught.value)
        count = "2 of 2" if classes != "annotated" else "23 of 24"
        assert str(caught.value).startswith(f"{count} classes have no folder in ")
    assert "Diving, Fencing;" in str(caught.value)


def test_a_class_without_a_training_video_leaves_nothing_to_train_on(tmp_path):
    root = make_root(tmp_path, lines("Biking", [8]), classes=["Biking", "Skiing"])
    with pytest.raises(UserError, match=r"names no video of \['Skiing'\]"):
        UCF101(root, classes=["Skiing"]).videos()


def splits(videos):
    return {video.name: video.split for video in videos}


def test_validation_takes_whole_groups_by_the_seed(tmp_path):
    root = make_root(tmp_path, lines("Biking", range(8, 26)), lines("Biking", range(1, 8)))
    videos = UCF101(root).videos()
    held = {video.group for video in videos if video.split == "val"}
    assert len(held) == 2  # a tenth of eighteen
    assert all((video.split == "val") == (video.group in held) for video in videos if video.split != "test")
    assert {video.group for video in videos if video.split == "test"} == set(range(1, 8))
    assert splits(UCF101(root).videos()) == splits(videos)
    others = [
        {video.group for video in UCF101(root, validation_seed=seed).videos() if video.split == "val"}
        for seed in range(1, 6)
    ]
    assert any(other != held for other in others)


def test_other_classes_do_not_change_which_groups_validate(tmp_path):
    both = make_root(tmp_path, lines("Biking", range(8, 26)) + lines("Archery", range(8, 26)))
    alone = splits(UCF101(both, classes=["Biking"]).videos())
    beside = splits(UCF101(both, classes=["Archery", "Biking"]).videos())
    assert alone.items() <= beside.items()


def test_a_class_with_one_group_keeps_it_for_training_and_one_with_two_gives_one(tmp_path):
    root = make_root(tmp_path, lines("Biking", [8]) + lines("Skiing", [8, 9]))
    counts = Counter((video.action, video.split) for video in UCF101(root).videos())
    assert counts == {("Biking", "train"): 2, ("Skiing", "train"): 2, ("Skiing", "val"): 2}


def test_no_validation_at_all_is_possible(tmp_path):
    root = make_root(tmp_path, lines("Biking", range(8, 26)))
    assert {video.split for video in UCF101(root, validation=0.0).videos()} == {"train"}


@pytest.mark.parametrize(("validation", "seed"), [(1.0, 0), (-0.1, 0), (0.1, -1)])
def test_impossible_validation_settings_are_refused(tmp_path, validation, seed):
    root = make_root(tmp_path, lines("Biking", range(8, 26)))
    with pytest.raises(UserError, match=r"data.validation"):
        UCF101(root, validation=validation, validation_seed=seed).videos()


def test_split_all_puts_every_video_into_training(tmp_path):
    root = make_root(tmp_path, lines("Biking", range(8, 26)), lines("Biking", range(1, 8)))
    videos = UCF101(root, split="all").videos()
    assert len(videos) == 50
    assert {video.split for video in videos} == {"train", "val"}


def test_the_papers_groups_are_refused_for_other_classes_and_other_splits(tmp_path):
    root = make_root(tmp_path, lines("Archery", [8, 9]))
    with pytest.raises(UserError, match=r"not of Archery"):
        UCF101(root, validation="paper").videos()
    biking = make_root(tmp_path / "2", lines("Biking", [8, 9]))
    for name in ("train", "test"):
        listed = biking / "ucfTrainTestlist"
        shutil.copy(listed / f"{name}list01.txt", listed / f"{name}list02.txt")
    with pytest.raises(UserError, match=r"data.validation=paper belongs to split 1"):
        UCF101(biking, split=2, validation="paper").videos()


@pytest.fixture
def official(real_data, tmp_path):
    """The official lists beside empty folders of the 24 classes."""
    for name in ANNOTATED_CLASSES:
        (tmp_path / "UCF-101" / name).mkdir(parents=True)
    (tmp_path / "ucfTrainTestlist").symlink_to(real_data / "ucf101" / "ucfTrainTestlist")
    return tmp_path


def test_the_papers_split_of_the_official_lists(official):
    videos = UCF101(official, classes="annotated", validation="paper").videos()
    # reference-facts.md tells 2035, 254 and 913 of the authors' own lists, which hold 2289 and 913 names of the 24
    # classes. The official ones hold 2293 and 914: four and one more, none of them in a validation group.
    assert Counter(video.split for video in videos) == {"train": 2293 - 254, "val": 254, "test": 914}
    held = {(video.action, video.group) for video in videos if video.split == "val"}
    assert held == {(action, group) for action, groups in VALIDATION_GROUPS.items() for group in groups}
    where: dict[tuple[str, int], set[str]] = {}
    for video in videos:
        where.setdefault((video.action, video.group), set()).add(video.split)
    assert len(where) == 24 * 25
    assert all(len(splits) == 1 for splits in where.values())
    assert {group for (_, group), splits in where.items() if splits == {"test"}} == set(range(1, 8))


@pytest.mark.parametrize("split", [1, 2, 3])
def test_every_official_split_can_be_carved_without_a_leak(official, split):
    videos = UCF101(official, split=split).videos()
    assert {video.split for video in videos} == {"train", "val", "test"}
    groups = {split: {(v.action, v.group) for v in videos if v.split == split} for split in ("train", "val", "test")}
    assert sum(len(each) for each in groups.values()) == len(set().union(*groups.values())) == 24 * 25


def test_a_group_in_two_lists_is_refused(tmp_path):
    root = make_root(tmp_path, lines("Biking", [8, 9, 10]), ["Biking/v_Biking_g09_c07.avi"])
    with pytest.raises(UserError, match=r"the splits leak: group g09 of Biking"):
        UCF101(root).videos()


def test_a_video_listed_twice_is_refused(tmp_path):
    root = make_root(tmp_path, lines("Biking", [8, 9, 10]) + lines("Biking", [8], clips=1))
    with pytest.raises(UserError, match=r"list Biking/v_Biking_g08_c01 twice"):
        UCF101(root).videos()


def test_groups_of_two_classes_may_share_their_number(tmp_path):
    one = Video("A/v_A_g01_c01", tmp_path, "A", 1, "train")
    check_no_leak([one, Video("B/v_B_g01_c01", tmp_path, "B", 1, "test")])


def test_the_selection_names_what_decides_the_splits(tmp_path):
    one = UCF101(None, classes=["B", "A"], validation_seed=3).selection()
    assert one == {"classes": ["A", "B"], "split": 1, "validation": 0.1, "validation_seed": 3}
    paper = UCF101(None, classes="annotated", validation="paper", validation_seed=3).selection()
    assert paper == {"classes": "annotated", "split": 1, "validation": "paper"}
