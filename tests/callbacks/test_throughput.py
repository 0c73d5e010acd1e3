from types import SimpleNamespace

import pytest
import torch

from fbm.batch import ClipBatch
from fbm.callbacks import Throughput


@pytest.mark.parametrize("begin", [Throughput.on_train_epoch_start, Throughput.on_train_start])
def test_clips_per_second_and_share_of_waiting(monkeypatch, begin):
    """Two steps of 8 clips on 2 ranks: 1 s waiting and 3 s working each, validation after the last not counted.

    An epoch that goes on in its middle is not started: training is.
    """
    times = iter([10.0, 11.0, 14.0, 15.0, 18.0])
    monkeypatch.setattr("fbm.callbacks.throughput.time.perf_counter", lambda: next(times))
    logged: dict[str, float] = {}
    module = SimpleNamespace(log_dict=lambda values, **_: logged.update(values))
    trainer = SimpleNamespace(world_size=2, is_last_batch=False)
    batch = ClipBatch(*(torch.zeros(8) for _ in ClipBatch._fields))
    callback = Throughput()
    begin(callback, trainer, module)
    for step in range(2):
        trainer.is_last_batch = step == 1
        callback.on_train_batch_start(trainer, module, batch, step)  # type: ignore[arg-type]
        assert not logged
        callback.on_train_batch_end(trainer, module, None, batch, step)  # type: ignore[arg-type]
    assert logged["time/clips_per_second"] == pytest.approx(32 / 8)
    assert logged["time/data_wait_share"] == pytest.approx(2 / 8)
