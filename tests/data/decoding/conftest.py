import pytest

from tests.data.decoding.usable import need


@pytest.fixture(params=["decord", "torchcodec"])
def other(request: pytest.FixtureRequest) -> str:
    """The name of a decoder other than PyAV."""
    name: str = request.param
    need(name)
    return name
