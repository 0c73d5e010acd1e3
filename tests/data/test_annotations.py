import os
import pickle

import numpy as np
import pytest

from fbm.data.annotations import read_pickle, read_xgtf
from fbm.utils.errors import UserError

SPACES = 'xmlns="http://lamp.cfar.umd.edu/viper#" xmlns:data="http://lamp.cfar.umd.edu/viperdata#"'


def box(span, x, y, width, height):
    return f'<data:bbox framespan="{span}" height="{height}" width="{width}" x="{x}" y="{y}"/>'


def person(*boxes, name="PERSON"):
    content = f'<attribute name="Location">{"".join(boxes)}</attribute>'
    other = '<attribute name="Occlusion"><data:fvalue framespan="1:9" value="0.0"/></attribute>'
    return f'<object framespan="1:9" id="0" name="{name}">{content}{other}</object>'


def information(frames):
    return (
        f'<file id="0" name="Information"><attribute name="NUMFRAMES"><data:dvalue value="{frames}"/></attribute>'
        '<attribute name="SOURCETYPE"/></file>'
    )


def source(*content):
    return f'<sourcefile filename="x.avi">{"".join(content)}</sourcefile>'


@pytest.fixture
def write(tmp_path):
    def write(*sources, spaces=SPACES, head='<?xml version="1.0" encoding="UTF-8"?>'):
        path = tmp_path / "v.xgtf"
        text = f"{head}\n<viper {spaces}><config/><data>{''.join(sources)}</data></viper>"
        path.write_text(text)
        return path

    return write


def test_spans_are_one_based_and_inclusive_and_leave_gaps(write):
    found = read_xgtf(write(source(information(9), person(box("2:3", 10, 20, 30, 40), box("6:6", 1, 2, 3, 4)))))
    assert found.frames == 9
    assert found.boxes.dtype == np.int64
    assert found.boxes.tolist() == [[1, 10, 20, 30, 40], [2, 10, 20, 30, 40], [5, 1, 2, 3, 4]]


def test_two_persons_stand_in_one_frame_and_other_objects_do_not_count(write):
    persons = (
        person(box("1:2", 1, 1, 5, 5)),
        person(box("2:2", 50, 60, 5, 5)),
        person(box("1:9", 0, 0, 9, 9), name="BALL"),
    )
    found = read_xgtf(write(source(*persons)))
    assert found.frames is None
    assert found.others == ("BALL",)
    assert found.boxes.tolist() == [[0, 1, 1, 5, 5], [1, 1, 1, 5, 5], [1, 50, 60, 5, 5]]


def test_only_the_first_source_that_is_not_empty_counts(write):
    filled = source(information(4), person(box("1:1", 1, 2, 3, 4)))
    found = read_xgtf(write(source(), filled, source(information(9), person(box("1:1", 9, 9, 9, 9)))))
    assert (found.frames, found.boxes.tolist()) == (4, [[0, 1, 2, 3, 4]])


def test_a_file_without_persons_has_no_boxes(write):
    found = read_xgtf(write(source(information(7))))
    assert (found.frames, found.boxes.shape) == (7, (0, 5))


def test_boxes_outside_the_picture_are_read_as_they_are(write):
    found = read_xgtf(write(source(person(box("1:1", -5, -7, 400, 300)))))
    assert found.boxes.tolist() == [[0, -5, -7, 400, 300]]


def test_a_file_without_namespaces_reads_alike(write):
    path = write(source(person(box("1:1", 1, 2, 3, 4))).replace("data:bbox", "bbox").replace("data:", ""), spaces="")
    assert read_xgtf(path).boxes.tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    "bad",
    [
        box("1", 1, 2, 3, 4),
        box("0:3", 1, 2, 3, 4),
        box("5:3", 1, 2, 3, 4),
        box("1:99999999999", 1, 2, 3, 4),
        box("1:2", "a", 2, 3, 4),
        box("1:2", "inf", 2, 3, 4),
        box("1:2", "1e300", 2, 3, 4),
        box("1:2", "nan", 2, 3, 4),
        '<data:bbox framespan="1:2" x="1" y="2" width="3"/>',
    ],
)
def test_a_malformed_box_is_refused(write, bad):
    with pytest.raises(UserError, match=r"v.xgtf: a box of the Location attribute is malformed"):
        read_xgtf(write(source(person(bad))))


def test_an_entity_bomb_is_refused(write):
    bomb = '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    with pytest.raises(UserError, match=r"refused: it declares XML entities"):
        read_xgtf(write(source("&c;"), head=bomb))


def test_a_document_type_and_an_external_entity_are_refused(write, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("1:9")
    for head in ("<!DOCTYPE viper>", f'<!DOCTYPE viper [<!ENTITY x SYSTEM "file://{secret}">]>'):
        with pytest.raises(UserError, match=r"refused: it declares XML entities"):
            read_xgtf(write(source(), head=head))


@pytest.mark.parametrize("content", [b"", b"not xml", b"<viper><data>", bytes(range(256))])
def test_what_is_not_xml_is_refused(tmp_path, content):
    path = tmp_path / "v.xgtf"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"v.xgtf is not readable XML"):
        read_xgtf(path)


@pytest.mark.parametrize("encoding", ["klingon", "utf-32", "utf8mb4", "cp65001x"])
def test_an_encoding_that_nobody_knows_is_refused(write, encoding):
    with pytest.raises(UserError, match=r"v.xgtf is not readable XML: .*encoding"):
        read_xgtf(write(source(), head=f'<?xml version="1.0" encoding="{encoding}"?>'))


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"annotation .* cannot be read: Is a directory"):
        read_xgtf(tmp_path)


def test_xml_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "v.xgtf"
    path.write_text("<annotation><frame/></annotation>")
    with pytest.raises(UserError, match=r"not of the ViPER form"):
        read_xgtf(path)


NAME = "Biking/v_Biking_g01_c01"


def tube(first, boxes, dtype=np.uint8):
    integer = np.uint8 if first + len(boxes) < 256 else np.uint16
    return {"label": 3, "sf": integer(first), "ef": integer(first + len(boxes)), "boxes": np.array(boxes, dtype)}


@pytest.fixture
def dump(tmp_path):
    def dump(entries, protocol=2):
        path = tmp_path / "boxes.pkl"
        path.write_bytes(pickle.dumps(entries, protocol=protocol))
        return path

    return dump


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_small_integers_are_widened_before_anything_is_added(dump, protocol):
    entry = {"numf": np.uint8(255), "label": 3, "annotations": [tube(0, [[200, 180, 100, 90]] * 2)]}
    found = read_pickle(dump({NAME: entry}, protocol))[NAME]
    assert found.frames == 255
    assert found.boxes.dtype == np.int64
    assert found.boxes.tolist() == [[0, 200, 180, 100, 90], [1, 200, 180, 100, 90]]
    assert found.boxes[0, 1] + found.boxes[0, 3] == 300


def test_tubes_stand_side_by_side_and_leave_frames_without_a_box(dump):
    tubes = [tube(300, [[1, 2, 3, 4]], np.uint16), tube(299, [[5, 6, 7, 8], [9, 9, 9, 9]])]
    found = read_pickle(dump({NAME: {"numf": 310, "label": 3, "annotations": tubes}}))[NAME]
    assert found.boxes.tolist() == [[299, 5, 6, 7, 8], [300, 1, 2, 3, 4], [300, 9, 9, 9, 9]]


def test_a_video_may_have_no_tube_and_others_no_entry(dump):
    found = read_pickle(dump({NAME: {"numf": 5, "label": 3, "annotations": []}}))
    assert list(found) == [NAME]
    assert found[NAME].boxes.shape == (0, 5)


class Command:
    def __init__(self, line):
        self.line = line

    def __reduce__(self):
        return os.system, (self.line,)


def test_a_pickle_that_would_run_a_command_is_refused_and_does_not_run(dump, tmp_path):
    path = dump({NAME: {"numf": 5, "label": 3, "annotations": Command(f"touch {tmp_path}/ran")}})
    with pytest.raises(UserError, match=r"refused: .*system.*could run code"):
        read_pickle(path)
    assert not (tmp_path / "ran").exists()
    pickle.loads(path.read_bytes())  # the bait is real
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("harmful", [eval, getattr, __import__, np.load, np.fromfile])
def test_no_other_callable_can_be_named(dump, harmful):
    with pytest.raises(UserError, match=r"could run code"):
        read_pickle(dump(harmful))


def test_a_damaged_pickle_is_refused(dump, tmp_path):
    whole = dump({NAME: {"numf": 5, "label": 3, "annotations": [tube(0, [[1, 2, 3, 4]])]}}).read_bytes()
    path = tmp_path / "cut.pkl"
    for content in (whole[: len(whole) // 2], whole[:-1], b"", b"text\n", bytes(range(256))):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"cut.pkl refused"):
            read_pickle(path)


@pytest.mark.parametrize(
    "entries",
    [
        [1, 2],
        {NAME: [1]},
        {NAME: {"numf": 5}},
        {NAME: {"numf": 5, "annotations": [{"sf": 0, "ef": 3, "boxes": np.zeros((2, 4))}]}},
        {NAME: {"numf": 5, "annotations": [{"sf": 0, "ef": 10**12, "boxes": np.zeros((2, 4))}]}},
        {NAME: {"numf": 5, "annotations": [{"sf": 0, "ef": 1, "boxes": np.zeros((1, 3))}]}},
    ],
)
def test_a_pickle_of_another_form_is_refused(dump, entries):
    with pytest.raises(UserError, match=r"not of the corrected form"):
        read_pickle(dump(entries))


def test_the_published_pickle(real_data):
    path = real_data / "ucf101" / "annotations" / "pyannot.pkl"
    found = read_pickle(path)
    assert len(found) == 3194
    assert "Diving/v_Diving_g19_c02" not in found
    without = sum(len(np.unique(each.boxes[:, 0])) < (each.frames or 0) for each in found.values())
    assert round(100 * without / len(found)) == 39
    raw = pickle.loads(path.read_bytes())
    tubes = [tube for entry in raw.values() for tube in entry["annotations"]]
    assert [sum(t["boxes"].dtype == kind for t in tubes) for kind in (np.uint8, np.uint16)] == [4291, 167]
    assert sum(len(entry["annotations"]) > 1 for entry in raw.values()) == 715
    # Added as Python integers, which have no width, against ours.
    right = sum(x + w for t in tubes for x, _, w, _ in t["boxes"].tolist())
    boxes = np.concatenate([each.boxes for each in found.values()])
    assert int((boxes[:, 1] + boxes[:, 3]).sum()) == right
    assert all(int(entry["numf"]) == found[name].frames for name, entry in raw.items())
