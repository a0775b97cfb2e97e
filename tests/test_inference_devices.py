"""Data-parallel ADVI: the same fit on one device, on four, and on two processes that talk over the network."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parent
FOUR = "--xla_force_host_platform_device_count=4"


def test_on_four_devices():
    """The number of devices is fixed before JAX starts, so these tests have a process of their own."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", TESTS / "_four_devices.py"]
    done = subprocess.run(
        command, env=os.environ | {"XLA_FLAGS": FOUR}, cwd=TESTS.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


PROCESS = """
import sys

import bnn_course
import jax

address, number, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
jax.distributed.initialize(address, num_processes=2, process_id=number)

from bnn_course import inference
from tests._four_devices import FIT, regression

assert len(jax.devices()) == 2 and len(jax.local_devices()) == 1
mesh = jax.make_mesh((2,), ("batch",))
fit = inference.advi(regression("float64"), steps=100, mesh=mesh, checkpoint=path, **FIT)
draws = fit.sample(10, random_seed=1)
assert draws["posterior"]["w"].shape == (1, 10, 3)
"""


def free_port():
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return end.getsockname()[1]


def test_two_processes_fit_one_model(tmp_path):
    """Each as on a machine of its own: they meet at an address, and both end with the whole fit."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    address, files = f"127.0.0.1:{free_port()}", [tmp_path / "0.npz", tmp_path / "1.npz"]
    commands = [[sys.executable, "-c", PROCESS, address, str(number), file] for number, file in enumerate(files)]
    running = [subprocess.Popen(c, env=environment, stderr=subprocess.PIPE, text=True) for c in commands]
    try:
        said = [process.communicate(timeout=600)[1] for process in running]
    finally:
        for process in running:
            process.kill()  # one waits for the other for ever, and for them SIGTERM is only a warning
    assert [process.returncode for process in running] == [0, 0], said
    from _four_devices import FIT, regression

    from bnn_course import inference

    alone = inference.advi(regression("float64"), steps=100, **FIT)
    both = [inference.load(file, regression("float64")) for file in files]
    for name in alone.mean:
        assert np.array_equal(both[0].mean[name], both[1].mean[name])
        assert np.allclose(both[0].mean[name], alone.mean[name], rtol=0, atol=1e-12)
    assert both[0].step == 100 and np.allclose(both[0].loss, alone.loss, rtol=1e-12)
