import torch

from fbm.data.batch import ClipBatch


def batch(*counted: bool) -> ClipBatch:
    number = torch.arange(len(counted))
    return ClipBatch(
        frames=number[:, None, None, None, None].expand(-1, 8, 4, 4, 3),
        masks=number[:, None, None, None].expand(-1, 8, 4, 4),
        label=number,
        video=number,
        sample=number,
        counted=torch.tensor(counted, dtype=torch.bool),
    )


def test_what_only_fills_up_is_left_out_of_every_field():
    left = batch(True, False, True, False).without_padding()
    for field, number in zip(left[:-1], (5, 4, 1, 1, 1), strict=True):
        assert field.dim() == number
        assert field.flatten(1).unique(dim=1).flatten().tolist() == [0, 2] if number > 1 else field.tolist() == [0, 2]
    assert left.counted.tolist() == [True, True]


def test_nothing_may_be_left():
    assert len(batch(False).without_padding().frames) == 0


def test_a_batch_that_counts_whole_is_not_copied():
    whole = batch(True, True)
    assert whole.without_padding() is whole
