"""Fits as files: no work is lost, whatever ends a fit, and no fit is taken for another one."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import optax
import pymc as pm
import pytensor
import pytest

from bnn_course import _files, _loop, inference

ROOT = Path(__file__).resolve().parents[1]
RNG = np.random.default_rng(20)
X = RNG.normal(size=200)
Y = 1 - 2 * X + RNG.normal(0, 0.7, 200)
SETTINGS = {"steps": 400, "learning_rate": 0.03, "random_seed": 1}


def line(mean=lambda a, b, x: a + b * x, prior=pm.Normal, width=1.0, factor=1.0, y=Y, batch_size=None, total_size=200):
    with pm.Model() as model:
        x, y = (X, y) if batch_size is None else pm.Minibatch(X, y, batch_size=batch_size)
        size = {} if batch_size is None else {"total_size": total_size}
        a, b = prior("a", 0, width), prior("b", 0, width)
        pm.Potential("pull", -factor * a**2)
        pm.Normal("y", mean(a, b, x), pm.HalfNormal("sigma", 1), observed=y, **size)
    return model


def same(first, second):
    return np.array_equal(first.loss, second.loss) and all(
        np.array_equal(first.mean[n], second.mean[n]) and np.array_equal(first.sd[n], second.sd[n]) for n in first.mean
    )


# --- nothing is lost ------------------------------------------------------------------------------------------------

KILLS = """
import os, signal, sys, time
from pathlib import Path

import numpy as np
from bnn_course import inference
from tests.test_inference_checkpoints import SETTINGS, line

path, end, kills = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
inference.CHECKPOINT_EVERY = 0.0  # written after every chunk of steps


def fit():
    found = inference.advi(line(batch_size=20), **SETTINGS | {"steps": 60_000}, checkpoint=path)
    np.savez(end, loss=found.loss, **found.mean)


for _ in range(kills):  # a fork before the first fit: the imports need not be repeated
    child = os.fork()
    if child == 0:
        fit()
        os._exit(1)
    written, changes = path.stat().st_mtime_ns if path.exists() else 0, 0
    while changes < 3:  # reading the file, and some more steps
        time.sleep(0.002)
        now = path.stat().st_mtime_ns if path.exists() else 0
        written, changes = now, changes + (now != written)
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the fit ended before it was killed"
fit()
"""


def test_a_fit_that_is_killed_twenty_times_ends_as_if_nothing_had_been(tmp_path):
    """kill −9, each time after some more steps have been written; then the same call to its end."""
    command = [sys.executable, "-c", KILLS, tmp_path / "fit.npz", tmp_path / "end.npz", "20"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    whole = inference.advi(line(batch_size=20), **SETTINGS | {"steps": 60_000})
    with np.load(tmp_path / "end.npz") as end:
        np.testing.assert_array_equal(end["loss"], whole.loss)
        for name, value in whole.mean.items():
            np.testing.assert_array_equal(end[name], value)


def test_an_interrupted_fit_is_in_its_file_and_the_same_call_ends_it(tmp_path, monkeypatch):
    whole = inference.advi(line(), **SETTINGS)
    original = _loop.states

    def interrupted(*arguments):
        for place, state in enumerate(original(*arguments)):
            if place == 2:
                raise KeyboardInterrupt
            yield state

    monkeypatch.setattr(_loop, "states", interrupted)
    part = inference.advi(line(), **SETTINGS, checkpoint=tmp_path / "fit.npz")
    monkeypatch.undo()
    assert 0 < part.step < 400
    assert same(inference.advi(line(), **SETTINGS, checkpoint=tmp_path / "fit.npz"), whole)
    monkeypatch.setattr(_loop, "states", lambda *arguments: iter(()))  # a fit that is complete takes no more steps
    assert same(inference.advi(line(), **SETTINGS, checkpoint=tmp_path / "fit.npz"), whole)


@pytest.mark.parametrize("method", [inference.advi, inference.find_map])
def test_an_error_keeps_the_fit_in_hand_and_in_its_file(method, tmp_path, monkeypatch):
    original = _loop.states

    def failing(*arguments):
        for place, state in enumerate(original(*arguments)):
            if place == 2:
                raise MemoryError("no room")
            yield state

    monkeypatch.setattr(_loop, "states", failing)
    with pytest.raises(MemoryError) as caught:
        method(line(), **SETTINGS, checkpoint=tmp_path / "fit.npz")
    monkeypatch.undo()
    part = caught.value.approximation
    assert 0 < part.step < 400 and same(inference.load(tmp_path / "fit.npz", line()), part)
    assert same(method(line(), **SETTINGS, checkpoint=tmp_path / "fit.npz"), method(line(), **SETTINGS))


def full_disk(path, content):
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_said_and_the_fit_goes_on(tmp_path, monkeypatch):
    writes = []

    def soon_full(path, content):
        writes.append(path)
        return original(path, content) if len(writes) == 1 else full_disk(path, content)

    original = _files.write_whole
    monkeypatch.setattr(_files, "write_whole", soon_full)
    with pytest.warns(RuntimeWarning, match=r"goes on.*fit\.npz.*No space left"):
        found = inference.advi(line(), **SETTINGS, checkpoint=tmp_path / "fit.npz")
    monkeypatch.undo()
    assert same(found, inference.advi(line(), **SETTINGS))
    assert inference.load(tmp_path / "fit.npz", line()).step == 0  # the old file is whole


@pytest.mark.parametrize("place", ["missing/fit.npz", "file/fit.npz"])
def test_a_folder_that_cannot_be_written_to_is_said_before_the_first_step(place, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(_loop, "states", None)
    with pytest.raises(OSError, match=r"checkpoint must be .*fit\.npz.*(No such file|Not a directory)"):
        inference.advi(line(), **SETTINGS, checkpoint=tmp_path / place)


def test_a_failed_write_leaves_nothing_behind_and_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    found = inference.advi(line(), **SETTINGS)
    found.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda handle: full_disk(path, b""))
    with pytest.raises(OSError, match=r"checkpoint .*fit\.npz.*No space left"):
        found.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["fit.npz"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_gets_the_permissions_that_the_user_gives_to_files(mask, tmp_path):
    old = os.umask(mask)
    try:
        _files.write_whole(tmp_path / "a", b"content")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


# --- no fit is taken for another ------------------------------------------------------------------------------------

OTHER_MODELS = {
    "terms": ({"mean": lambda a, b, x: b + a * x}, "y"),
    "sign": ({"mean": lambda a, b, x: (a - b) * x}, "y"),
    "prior": ({"prior": pm.Laplace}, "a"),
    "width": ({"width": 1.01}, "a"),
    "potential": ({"factor": 1.1}, "pull"),
    "data": ({"y": Y + 0.01}, "y"),
    "row": ({"y": np.where(np.arange(200) == 7, 3.0, Y)}, "y"),
}


@pytest.mark.parametrize("change", OTHER_MODELS)
@pytest.mark.parametrize("by", ["load", "checkpoint", "resume"])
def test_another_model_is_refused_by_the_name_of_what_differs(by, change, tmp_path):
    options, name = OTHER_MODELS[change]
    path, other = tmp_path / "fit.npz", line(**options)
    found = inference.advi(line(), **SETTINGS | {"steps": 20})
    found.save(path)
    inference.load(path, line())
    calls = {
        "load": lambda: inference.load(path, other),
        "checkpoint": lambda: inference.advi(other, **SETTINGS | {"steps": 20}, checkpoint=path),
        "resume": lambda: inference.advi(other, **SETTINGS | {"steps": 20}, resume=found),
    }
    with pytest.raises(ValueError, match=rf"model must be the fitted one.*\W{name}: log density was"):
        calls[by]()


@pytest.mark.parametrize("change", ["shape", "transform", "type", "batch", "total_size", "variable"])
def test_a_model_of_another_form_is_refused_by_the_name_of_what_differs(change, tmp_path):
    def build(change=None):
        float_type = "float32" if change == "type" else "float64"
        with pytensor.config.change_flags(floatX=float_type), pm.Model() as model:
            y = pm.Minibatch(np.zeros(50, float_type), batch_size=10 if change == "batch" else 5)
            transform = {"transform": pm.distributions.transforms.ordered} if change == "transform" else {}
            start = np.array([-1, 1, 2][: 2 if change == "shape" else 3], dtype=float_type)
            w = pm.Normal("v" if change == "variable" else "w", 0, 1, shape=len(start), initval=start, **transform)
            pm.Normal("y", w.sum(), 1, observed=y, total_size=100 if change == "total_size" else 50)
        return model

    inference.advi(build(), **SETTINGS | {"steps": 5}).save(tmp_path / "fit.npz")
    words = {
        "shape": r"w: shape was \[3\], is \[2\]",
        "transform": "w_ordered__: ",
        "type": "type was float64, is float32",
        "batch": r"y: shape was \[5\], is \[10\]",
        "total_size": "y: log density was",
        "variable": "v: shape was None",
    }
    with pytest.raises(ValueError, match=rf"model must be the fitted one.*{words[change]}"):
        inference.load(tmp_path / "fit.npz", build(change))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"random_seed": 2}, "random_seed"),
        ({"steps": 30}, "steps"),
        ({"learning_rate": 0.1}, "learning_rate"),
        ({"learning_rate": None, "optimizer": optax.adam(0.03)}, "optimizer"),
        ({"start_sd": 0.3}, "start_sd"),
        ({"start": {"a": 1.0}}, "start"),
    ],
)
def test_the_checkpoint_of_another_fit_is_refused_by_the_setting_that_differs(change, name, tmp_path):
    inference.advi(line(), **SETTINGS | {"steps": 20}, checkpoint=tmp_path / "fit.npz")
    with pytest.raises(ValueError, match=rf"checkpoint must be of this fit.*'{name}'"):
        inference.advi(line(), **SETTINGS | {"steps": 20} | change, checkpoint=tmp_path / "fit.npz")
    with pytest.raises(ValueError, match=r"checkpoint must be of this fit.*'advi', 'map'"):
        inference.find_map(line(), **SETTINGS | {"steps": 20}, checkpoint=tmp_path / "fit.npz")


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "text"])
def test_a_damaged_file_is_refused_or_read_as_it_was(damage, tmp_path):
    """At sixty places all over the file."""
    path, found = tmp_path / "fit.npz", inference.advi(line(), **SETTINGS | {"steps": 5})
    found.save(path)
    whole = path.read_bytes()
    for place in np.linspace(0, len(whole) - 1, 60).astype(int):
        flipped = whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :]
        path.write_bytes({"flip": flipped, "cut": whole[:place], "empty": b"", "text": b"fit"}[damage])
        try:
            assert same(inference.load(path, line()), found)
        except ValueError as error:
            assert "fit.npz" in str(error) and "unreadable" in str(error)


def test_what_is_no_path_is_refused():
    for call in (
        lambda: inference.load(None, line()),
        lambda: inference.advi(line(), **SETTINGS, checkpoint=3),
    ):
        with pytest.raises(TypeError, match=r"must be a path.*got (None|3)"):
            call()


def test_the_file_says_in_words_what_the_model_is(tmp_path):
    inference.advi(line(), **SETTINGS | {"steps": 5}).save(tmp_path / "fit.npz")
    with np.load(tmp_path / "fit.npz") as file:
        header = str(file["header"])
    for words in ('"a": {"is": "normal", "shape": []', '"sigma_log__": {"is": "halfnormal"', '"pull"', '"advi"'):
        assert words in header
