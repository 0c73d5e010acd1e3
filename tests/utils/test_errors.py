import pickle

from fbm.utils.errors import Stopped


def test_being_stopped_passes_from_one_process_to_another_and_by_everything_that_mends_errors():
    stopped = Stopped(15, "SIGTERM: saved")
    again = pickle.loads(pickle.dumps(stopped))  # as joblib's workers hand it on
    assert (again.signum, str(again)) == (15, "SIGTERM: saved")
    assert not isinstance(stopped, Exception)
