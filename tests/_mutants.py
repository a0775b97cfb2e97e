"""What the tests of the lessons' own claims share: a mistake is put in, and the claim must notice."""

import contextlib
import warnings

import numpy as np
import pytest

from bnn_course.claims import ClaimError


@contextlib.contextmanager
def fails(claim):
    """The claim must turn out false; what a mistake causes on its way there, such as an overflow, does not matter."""
    with pytest.raises(ClaimError, match=rf"\[{claim}:"), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
