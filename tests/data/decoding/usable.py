"""Decoders that a machine may lack."""

import pytest

from fbm.data.decoding.decoders import check_decoder
from fbm.utils.errors import UserError


def need(decoder: str) -> None:
    """Skip the test, with the reason, where the decoder cannot be used."""
    try:
        check_decoder(decoder)
    except UserError as error:
        pytest.skip(str(error))
