"""What every refusal must say: which quantity, what was received, and a remedy."""

import pytest


def refuses(call, error, quantity, received):
    """Check that a call raises an error whose message names the quantity, the value received and a remedy."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is error and message.startswith(f"{quantity} must "), message
    _, got, after = message.partition(f" got {received}")
    assert got, message
    assert after.partition(": ")[2], f"no remedy in {message!r}"
