"""The mutants of lesson 14 run in a process of their own, since JAX's devices are fixed when it starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
FOUR = "--xla_force_host_platform_device_count=4"


def test_each_mistake_fails_its_claim():
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", TESTS / "_fourteen.py"]
    environment = os.environ | {"XLA_FLAGS": FOUR}
    done = subprocess.run(command, env=environment, cwd=TESTS.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
