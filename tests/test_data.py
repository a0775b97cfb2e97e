"""Data sets: the right pictures in the right order, refused when damaged, drawn the same on every call."""

import gzip
import hashlib
import os
import shutil
import zipfile

import matplotlib
import numpy as np
import pytest
from _refusals import refuses
from sklearn.datasets import make_circles as sklearn_circles
from sklearn.datasets import make_moons as sklearn_moons

from bnn_course import _graph, data
from bnn_course.datasets import build_datasets, build_tables

PICTURES = ("mnist.npz", "fashion_mnist.npz")
POSTERIOR = "digit_posterior.npz"
FILES = (*PICTURES, POSTERIOR)
LOADERS = dict(zip(FILES, (data.load_mnist, data.load_fashion_mnist, data.load_digit_posterior), strict=True))


@pytest.fixture(scope="module")
def mnist():
    return data.load_mnist()


@pytest.fixture(scope="module")
def fashion():
    return data.load_fashion_mnist()


@pytest.fixture(scope="module")
def letters():
    return data.letters_set()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the shipped files, which the loaders read instead of them."""
    for name in (*FILES, "SHA256SUMS"):
        shutil.copy(data.FOLDER / name, tmp_path / name)
    monkeypatch.setattr(data, "FOLDER", tmp_path)
    return tmp_path


# Oracle: these are the original pictures ------------------------------------------------------------------------------


def test_mnist_has_the_documented_shapes_and_dtypes(mnist):
    assert [part.shape for part in mnist] == [(60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,)]
    assert {part.dtype for part in mnist} == {np.dtype(np.uint8)}
    assert mnist.train_images.max() == mnist.test_images.max() == 255


def test_mnist_is_in_the_original_order(mnist):
    assert mnist.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_mnist_has_the_known_number_of_digits_per_class(mnist):
    assert np.bincount(mnist.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def as_idx(array):
    """Bytes of the IDX file that holds an array of bytes."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.mark.parametrize("part, name", list(zip(data.Mnist._fields, build_datasets.MNIST_MD5, strict=True)))
def test_mnist_written_as_idx_is_the_original_file_byte_for_byte(mnist, part, name):
    md5 = hashlib.md5(as_idx(getattr(mnist, part)), usedforsecurity=False).hexdigest()
    assert md5 == build_datasets.MNIST_MD5[name]


def test_fashion_holds_the_first_test_pictures_in_the_original_order(fashion):
    assert fashion.images.shape == (2_000, 28, 28) and fashion.labels.shape == (2_000,)
    assert fashion.images.dtype == fashion.labels.dtype == np.uint8
    assert fashion.labels[:20].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7, 4, 5, 7, 3, 4, 1, 2, 4, 8, 0]
    assert np.bincount(fashion.labels).tolist() == [200, 203, 214, 190, 219, 195, 197, 200, 194, 188]


def test_fashion_names_fit_the_pictures(fashion):
    assert len(fashion.names) == len(set(fashion.names)) == 10
    ink_columns = (fashion.images > 25).any(axis=1).sum(axis=1)
    width = {name: ink_columns[fashion.labels == label].mean() for label, name in enumerate(fashion.names)}
    assert max(width["Trouser"], width["Dress"]) < min(width["Sneaker"], width["Ankle boot"], width["Bag"])


def test_the_posterior_has_the_shapes_of_the_network_of_lesson_09():
    shapes = {"w1": (784, 128), "b1": (128,), "w2": (128, 128), "b2": (128,), "w3": (128, 10), "b3": (10,)}
    for part in data.load_digit_posterior():
        assert list(part) == list(shapes)
        assert {name: value.shape for name, value in part.items()} == shapes
        assert {value.dtype for value in part.values()} == {np.dtype(np.float32)}


def test_the_posterior_knows_most_weights_but_not_those_of_pixels_without_ink():
    sd = data.load_digit_posterior().sd
    assert all(0 < value.min() and value.max() < 1.2 for value in sd.values())  # the prior's is 1
    never_inked = (data.load_mnist().train_images == 0).all(axis=0).ravel()
    assert never_inked.sum() > 50  # in the corners: nothing can be learned about their weights
    assert np.abs(sd["w1"][never_inked] - 1).max() < 0.1 and np.median(sd["w1"][~never_inked]) < 0.9


# Law: what ships is small, verified, and never a pickle ---------------------------------------------------------------


@pytest.mark.parametrize("name, limit", [("mnist.npz", 12e6), ("fashion_mnist.npz", 1e6), (POSTERIOR, 1e6)])
def test_shipped_files_stay_small(name, limit):
    assert (data.FOLDER / name).stat().st_size <= limit


def test_every_shipped_file_has_a_checksum():
    recorded = {line.split("  ")[1] for line in (data.FOLDER / "SHA256SUMS").read_text().splitlines()}
    shipped = {path.name for ending in ("npz", "csv") for path in data.FOLDER.glob(f"*.{ending}")}
    assert recorded == shipped == {*FILES, *(f"{name}.csv" for name in data.TABLES)}


@pytest.mark.parametrize("name", FILES)
def test_shipped_arrays_are_plain_bytes_or_half_precision(name):
    with zipfile.ZipFile(data.FOLDER / name) as archive:
        for entry in archive.namelist():
            with archive.open(entry) as stream:
                wanted = b"'descr': '<f2'" if name == POSTERIOR else b"'descr': '|u1'"
                assert wanted in stream.read(128)


def record(folder, name):
    """Write the checksum that the file has now."""
    checksum = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{checksum}  {name}\n")


def test_a_pickle_is_never_loaded_even_with_the_right_checksum(folder):
    np.savez(folder / "mnist.npz", train_images=np.array([{"any": "object"}], dtype=object))
    record(folder, "mnist.npz")
    with pytest.raises(ValueError, match="allow_pickle=False"):
        data.load_mnist()


def test_loading_twice_gives_arrays_that_do_not_share_memory():
    first, second = data.load_fashion_mnist(), data.load_fashion_mnist()
    first.images[:] = 0
    assert second.images.max() == 255


# Refusal: damaged files -----------------------------------------------------------------------------------------------


def flip(content, where):
    changed = bytearray(content)
    changed[where] ^= 1
    return bytes(changed)


DAMAGE = {
    "first byte flipped": lambda content: flip(content, 0),
    "middle byte flipped": lambda content: flip(content, len(content) // 2),
    "last byte flipped": lambda content: flip(content, -1),
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "line ends converted": lambda content: content.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_with_both_checksums_and_the_remedy(folder, name, damage):
    original = (folder / name).read_bytes()
    damaged = damage(original)
    (folder / name).write_bytes(damaged)
    with pytest.raises(ValueError) as error:
        LOADERS[name]()
    message = str(error.value)
    assert message.startswith(name) and str(folder / name) in message
    assert hashlib.sha256(original).hexdigest() in message and hashlib.sha256(damaged).hexdigest() in message
    assert f"git checkout -- bnn_course/datasets/{name}" in message
    assert ("studies/digit_posterior.py" if name == POSTERIOR else "datasets/build_datasets.py") in message


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_with_its_checksum_and_the_remedy(folder, name):
    expected = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError) as error:
        LOADERS[name]()
    message = str(error.value)
    assert message.startswith(name) and expected in message and "got no file" in message
    assert f"git checkout -- bnn_course/datasets/{name}" in message and "reinstall" in message


def test_a_missing_checksum_list_is_named(folder):
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(FileNotFoundError, match=r"SHA256SUMS must lie beside mnist\.npz.*git checkout"):
        data.load_mnist()


@pytest.mark.parametrize("content", [b"", b"0123  other.npz\n", b"\xff\xfe\x00", b"\xff\xfe  mnist.npz\n"])
def test_a_damaged_checksum_list_is_named(folder, content):
    (folder / "SHA256SUMS").write_bytes(content)
    with pytest.raises(ValueError, match=r"^(SHA256SUMS|mnist\.npz) must .*git checkout -- bnn_course/datasets/"):
        data.load_mnist()


def test_a_checksum_list_with_windows_line_ends_still_works(folder):
    sums = folder / "SHA256SUMS"
    sums.write_bytes(sums.read_bytes().replace(b"\n", b"\r\n"))
    assert len(data.load_fashion_mnist().labels) == 2_000


# Moons: oracle and law ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 10, 101])
def test_moons_without_noise_are_those_of_scikit_learn(n):
    x, y = data.make_moons(n, noise=0, rng=np.random.default_rng(1))
    wanted_x, wanted_y = sklearn_moons(n, noise=None, shuffle=False)
    order, wanted_order = np.lexsort([*x.round(9).T, y]), np.lexsort([*wanted_x.round(9).T, wanted_y])
    np.testing.assert_allclose(x[order], wanted_x[wanted_order], atol=1e-12)
    np.testing.assert_array_equal(y[order], wanted_y[wanted_order])


def test_moons_have_the_documented_types_and_balance():
    x, y = data.make_moons(101, noise=0.2, rng=np.random.default_rng(2))
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((101, 2), np.float64, (101,), np.int64)
    assert np.bincount(y).tolist() == [50, 51]
    assert 0 < y[:50].mean() < 1  # shuffled: a slice holds both classes


def test_labels_can_be_calculated_with():
    rng = np.random.default_rng(2)
    for draw in (data.make_moons, data.make_circles, data.make_spirals):
        assert set(2 * draw(10, noise=0, rng=rng)[1] - 1) == {-1, 1}
    assert set(np.ravel(2 * data.make_rotated_moons([0.0], 10, noise=0, rng=rng)[1] - 1)) == {-1, 1}


def test_moons_depend_on_the_generator_alone():
    first, again, other = (data.make_moons(50, noise=0.1, rng=np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])


def test_moon_noise_has_the_given_standard_deviation():
    noise = 0.3
    x, y = data.make_moons(20_000, noise=noise, rng=np.random.default_rng(5))
    still, label = data.make_moons(20_000, noise=0, rng=np.random.default_rng(5))
    np.testing.assert_array_equal(y, label)
    deviation = (x - still).std()  # of 40 000 draws: standard error 0.35 % of the value
    assert abs(deviation / noise - 1) < 0.015


# Letters: law and picture ---------------------------------------------------------------------------------------------


def test_letters_come_once_in_each_style(letters):
    assert letters.images.dtype == np.uint8
    assert letters.images.shape == (26 * len(data.STYLES), 28, 28)
    assert len(set(zip(letters.names, letters.styles, strict=True))) == len(letters.images)
    assert set(letters.styles) == set(data.STYLES)
    kept = "CEFHKLMNPRUVWXadefhkmnprtu"
    assert "".join(letters.names[:26]) == kept
    assert f"This leaves {' '.join(kept)}." in data.letters_set.__doc__


def test_no_letter_of_the_set_is_a_look_alike_and_the_docstring_lists_every_look_alike(letters):
    for digit, look_alikes in data.LOOK_ALIKES.items():
        assert not set(look_alikes) & set(letters.names)
        assert f"{' '.join(look_alikes)} ({digit})" in " ".join(data.letters_set.__doc__.split())


def test_no_two_letters_give_the_same_picture(letters):
    assert len({image.tobytes() for image in letters.images}) == len(letters.images)


def test_letters_fill_the_box_of_20_pixels_as_digits_do(letters):
    rows, columns = (letters.images.any(axis=axis).sum(axis=1) for axis in (2, 1))
    assert np.abs(np.maximum(rows, columns) - data.BOX).max() <= 1
    assert letters.images[:, [0, -1]].max() == letters.images[:, :, [0, -1]].max() == 0


def centre_of_mass(images):
    weights = images / images.sum(axis=(1, 2), keepdims=True)
    rows, columns = np.indices(images.shape[1:])
    return np.stack([(weights * rows).sum(axis=(1, 2)), (weights * columns).sum(axis=(1, 2))], axis=1)


def test_letters_are_centred_where_digits_are(letters, mnist):
    assert np.abs(centre_of_mass(letters.images) - 14).max() <= 0.51
    assert np.abs(centre_of_mass(mnist.test_images).mean(axis=0) - 14).max() <= 0.01


def test_letters_have_as_much_ink_as_digits(letters, mnist):
    digit_ink, letter_ink = (images.mean(axis=(1, 2)) for images in (mnist.test_images, letters.images))
    low, high = np.quantile(digit_ink, [0.005, 0.995])
    assert low < letter_ink.min() and letter_ink.max() < high
    assert 0.8 < np.median(letter_ink) / np.median(digit_ink) < 1.25


def test_letters_are_the_same_on_every_machine(letters):
    ink = {style: letters.images[letters.styles == style].mean() for style in data.STYLES}
    recorded = {
        "sans": 37.944,
        "sans italic": 37.265,
        "serif": 37.589,
        "serif italic": 35.073,
        "mono": 38.198,
        "mono italic": 38.077,
    }
    assert ink == pytest.approx(recorded, abs=0.02)  # another matplotlib changes a few pixels by 1 or 2 of 255


def test_letters_are_bright_on_dark_and_anti_aliased(letters):
    assert (letters.images.max(axis=(1, 2)) > 200).all()
    assert (np.median(letters.images, axis=(1, 2)) == 0).all()
    assert ((letters.images > 0) & (letters.images < 255)).any(axis=(1, 2)).all()


def test_letters_stand_upright():
    (image,) = data.render_letters("L", style="sans").astype(float)
    rows, columns = image.sum(axis=1), image.sum(axis=0)
    assert rows.argmax() in np.flatnonzero(rows)[-3:]  # the foot of the L is below
    assert columns.argmax() in np.flatnonzero(columns)[:3]  # its stem is on the left


def test_a_letter_keeps_its_holes():
    (image,) = data.render_letters("P", style="sans")
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert image[rows[0] + 5, columns[0] + 5] == 0


def test_letters_do_not_depend_on_call_order_or_on_settings_of_matplotlib(letters):
    settings = {"path.sketch": (5, 100, 2), "text.hinting": "force_autohint", "font.size": 30, "path.snap": True}
    with matplotlib.rc_context({**settings, "patch.antialiased": False, "text.antialiased": False}):
        again = data.letters_set()
    for part, same in zip(letters, again, strict=True):
        np.testing.assert_array_equal(part, same)


def test_text_and_sequence_of_letters_give_the_same_pictures():
    text = data.render_letters("aB", style="mono")
    np.testing.assert_array_equal(text, data.render_letters(["a", "B"], style="mono"))
    np.testing.assert_array_equal(text, data.render_letters(np.array(["a", "B"]), style="mono"))


# Refusal: bad input ---------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
BAD_MOONS = [
    ({"n": 0}, ValueError, "n", "0"),
    ({"n": 1}, ValueError, "n", "1"),
    ({"n": -5}, ValueError, "n", "-5"),
    ({"n": 10.0}, TypeError, "n", "10.0"),
    ({"n": "10"}, TypeError, "n", "'10'"),
    ({"n": True}, TypeError, "n", "True"),
    ({"n": None}, TypeError, "n", "None"),
    ({"noise": -0.1}, ValueError, "noise", "-0.1"),
    ({"noise": float("nan")}, ValueError, "noise", "nan"),
    ({"noise": float("inf")}, ValueError, "noise", "inf"),
    ({"noise": None}, TypeError, "noise", "None"),
    ({"noise": [0.1, 0.2]}, TypeError, "noise", "[0.1, 0.2]"),
    ({"rng": 42}, TypeError, "rng", "42"),
    ({"rng": None}, TypeError, "rng", "None"),
    ({"rng": np.random}, TypeError, "rng", "<module"),
]


@pytest.mark.parametrize("change, error, quantity, received", BAD_MOONS)
def test_make_moons_refuses(change, error, quantity, received):
    refuses(lambda: data.make_moons(**{"n": 10, "noise": 0.1, "rng": RNG, **change}), error, quantity, received)


# Circles, spirals and turned moons ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 10, 101])
def test_circles_without_noise_are_those_of_scikit_learn(n):
    x, y = data.make_circles(n, noise=0, rng=np.random.default_rng(1))
    wanted_x, wanted_y = sklearn_circles(n, noise=None, shuffle=False, factor=0.5)
    order, wanted_order = np.lexsort([*x.round(9).T, y]), np.lexsort([*wanted_x.round(9).T, wanted_y])
    np.testing.assert_allclose(x[order], wanted_x[wanted_order], atol=1e-12)
    np.testing.assert_array_equal(y[order], wanted_y[wanted_order])


def test_one_spiral_is_the_other_turned_by_half_a_turn():
    x, y = data.make_spirals(60, noise=0, rng=np.random.default_rng(1))
    first, second = (x[y == label] for label in (0, 1))
    first, second = (arm[np.argsort(np.hypot(*arm.T))] for arm in (first, second))
    np.testing.assert_allclose(second, -first, atol=1e-12)


def test_spirals_are_archimedean_and_evenly_spread_over_the_disc():
    x, y = data.make_spirals(200, noise=0, rng=np.random.default_rng(1))
    radius = np.sort(np.hypot(*x[y == 0].T))
    np.testing.assert_allclose(np.diff(radius**2), (1 - 0.01) / 99)
    distance = np.hypot(*x[y == 0].T)
    angle = 2 * np.pi * distance
    np.testing.assert_allclose(x[y == 0], distance[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))


def test_turned_moons_are_moons_turned_about_their_middle():
    angles = np.array([0.0, 0.3, np.pi / 2])
    x, y = data.make_rotated_moons(angles, 50, noise=0.2, rng=np.random.default_rng(7))
    rng = np.random.default_rng(7)
    for angle, points, labels in zip(angles, x, y, strict=True):
        still, wanted = data.make_moons(50, noise=0.2, rng=rng)
        as_complex = (still - [0.5, 0.25]) @ [1, 1j] * np.exp(1j * angle)
        np.testing.assert_allclose(points @ [1, 1j], as_complex, atol=1e-12)
        np.testing.assert_array_equal(labels, wanted)


@pytest.mark.parametrize("draw", [data.make_circles, data.make_spirals])
def test_points_have_the_documented_types_noise_and_balance(draw):
    x, y = draw(20_001, noise=0.1, rng=np.random.default_rng(2))
    still, _ = draw(20_001, noise=0, rng=np.random.default_rng(2))
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((20_001, 2), np.float64, (20_001,), np.int64)
    assert np.bincount(y).tolist() == [10_000, 10_001]
    assert 0.4 < y[:1000].mean() < 0.6  # shuffled
    assert abs((x - still).std() / 0.1 - 1) < 0.015


BAD_PLANE = [
    (data.make_circles, {"n": 1}, ValueError, "n", "1"),
    (data.make_circles, {"noise": -1}, ValueError, "noise", "-1"),
    (data.make_spirals, {"n": 1}, ValueError, "n", "1"),
    (data.make_spirals, {"rng": 1}, TypeError, "rng", "1"),
    (data.make_rotated_moons, {"angles": 0.3}, ValueError, "angles", "shape ()"),
    (data.make_rotated_moons, {"angles": [np.nan]}, ValueError, "angles", "nan at index (0,)"),
]


@pytest.mark.parametrize("draw, change, error, quantity, received", BAD_PLANE)
def test_points_in_the_plane_refuse(draw, change, error, quantity, received):
    angles = {"angles": [0.0]} if draw is data.make_rotated_moons else {}
    refuses(lambda: draw(**{**angles, "n": 10, "noise": 0.1, "rng": RNG, **change}), error, quantity, received)


BAD_LETTERS = [
    ({"letters": ""}, ValueError, "letters", "[]"),
    ({"letters": "AB7"}, ValueError, "letters", "['A', 'B', '7']"),
    ({"letters": "A B"}, ValueError, "letters", "['A', ' ', 'B']"),
    ({"letters": "é"}, ValueError, "letters", "['é']"),
    ({"letters": ["A", "BC"]}, ValueError, "letters", "['A', 'BC']"),
    ({"letters": ["A", ""]}, ValueError, "letters", "['A', '']"),
    ({"letters": ["A", 7]}, ValueError, "letters", "['A', 7]"),
    ({"letters": b"AB"}, ValueError, "letters", "[65, 66]"),
    ({"style": "gothic"}, ValueError, "style", "'gothic'"),
    ({"style": None}, ValueError, "style", "None"),
]


@pytest.mark.parametrize("change, error, quantity, received", BAD_LETTERS)
def test_render_letters_refuses(change, error, quantity, received):
    refuses(lambda: data.render_letters(**{"letters": "AB", "style": "sans", **change}), error, quantity, received)


# The build: all files or none -----------------------------------------------------------------------------------------


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Small IDX files instead of the originals, with their checksums, and arguments that build them into `out`."""
    rng = np.random.default_rng(6)
    for kind in ("mnist", "fashion"):
        folder, table = tmp_path / kind, getattr(build_datasets, f"{kind.upper()}_MD5")
        folder.mkdir()
        for name in table:
            shape = (30, 28, 28) if "images" in name else (30,)
            content = as_idx(rng.integers(0, 10, shape, dtype=np.uint8))
            (folder / name).write_bytes(content)
            monkeypatch.setitem(table, name, hashlib.md5(content, usedforsecurity=False).hexdigest())
    (tmp_path / "out").mkdir()
    return tmp_path


def build(sources, *, out="out"):
    folders = {"--mnist": sources / "mnist", "--fashion": sources / "fashion", "--out": sources / out}
    build_datasets.main([str(part) for pair in folders.items() for part in pair])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_built_can_be_loaded(sources, monkeypatch, capsys):
    build(sources)
    assert set(contents(sources / "out")) == {*PICTURES, "SHA256SUMS"}
    monkeypatch.setattr(data, "FOLDER", sources / "out")
    original = (sources / "mnist" / "t10k-images-idx3-ubyte").read_bytes()
    assert as_idx(data.load_mnist().test_images) == original
    assert data.load_fashion_mnist().images.shape == (30, 28, 28)
    assert "mnist.npz: " in capsys.readouterr().out


def test_a_repeated_build_gives_the_same_bytes_also_from_gzipped_sources(sources):
    build(sources)
    before = contents(sources / "out")
    for path in (*(sources / "mnist").iterdir(), *(sources / "fashion").iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    build(sources)
    assert contents(sources / "out") == before


def test_a_build_keeps_the_checksum_of_files_that_it_does_not_build(sources):
    sums = sources / "out" / "SHA256SUMS"
    sums.write_text(f"0123  {POSTERIOR}\n4567  mnist.npz\n")
    build(sources)
    lines = sums.read_text().splitlines()
    assert lines[0] == f"0123  {POSTERIOR}" and [line.split()[1] for line in lines] == [POSTERIOR, *PICTURES]
    build_datasets.write_all(sources / "out", {POSTERIOR: {"mean_b3": np.zeros(10, np.float16)}})
    assert [line.split()[1] for line in sums.read_text().splitlines()] == [*PICTURES, POSTERIOR]
    assert sums.read_text().splitlines()[:2] == lines[1:]


def test_only_the_first_fashion_pictures_are_kept(sources, monkeypatch):
    monkeypatch.setattr(build_datasets, "FASHION_KEPT", 7)
    build(sources)
    monkeypatch.setattr(data, "FOLDER", sources / "out")
    images, labels = ((sources / "fashion" / name).read_bytes() for name in build_datasets.FASHION_MD5)
    assert data.load_fashion_mnist().images.tobytes() == images[16 : 16 + 7 * 784]
    assert data.load_fashion_mnist().labels.tobytes() == labels[8 : 8 + 7]


def remove_source(sources):
    (sources / "fashion" / "t10k-labels-idx1-ubyte").unlink()


def change_source(sources):
    path = sources / "mnist" / "t10k-labels-idx1-ubyte"
    path.write_bytes(flip(path.read_bytes(), 20))


def truncate_gzip(sources):
    path = sources / "fashion" / "t10k-images-idx3-ubyte"
    packed = gzip.compress(path.read_bytes())
    path.with_name(f"{path.name}.gz").write_bytes(packed[: len(packed) // 2])
    path.unlink()


@pytest.mark.parametrize(
    "spoil, message",
    [
        (remove_source, "neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte.gz found in"),
        (change_source, "t10k-labels-idx1-ubyte in .* must have MD5 [0-9a-f]{32}, got [0-9a-f]{32}: fetch"),
        (truncate_gzip, "t10k-images-idx3-ubyte.gz must be a complete gzip file, got .*: fetch"),
    ],
)
def test_a_build_from_wrong_sources_leaves_the_folder_as_it_was(sources, spoil, message):
    build(sources)
    before = contents(sources / "out")
    spoil(sources)
    with pytest.raises(SystemExit, match=message):
        build(sources)
    assert contents(sources / "out") == before


def test_a_build_that_breaks_in_the_second_file_leaves_the_folder_as_it_was(sources, monkeypatch):
    build(sources)
    before = contents(sources / "out")
    monkeypatch.setattr(build_datasets, "FASHION_KEPT", 7)

    def disk_full(path, arrays, *, write=build_datasets.write_npz):
        write(path, arrays)
        if path.name == "fashion_mnist.npz":
            path.write_bytes(path.read_bytes()[:100])
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(build_datasets, "write_npz", disk_full)
    with pytest.raises(SystemExit, match="No space left"):
        build(sources)
    assert contents(sources / "out") == before


def test_a_file_that_does_not_read_back_is_not_put_in_place(sources, monkeypatch):
    write = build_datasets.write_npz
    monkeypatch.setattr(
        build_datasets, "write_npz", lambda path, arrays: write(path, {key: value ^ 1 for key, value in arrays.items()})
    )
    with pytest.raises(SystemExit, match=r"mnist\.npz must hold the arrays it was given, got others in train_images"):
        build(sources)
    assert contents(sources / "out") == {}


def test_a_missing_output_folder_is_named(sources):
    with pytest.raises(SystemExit, match=r"out must be an existing folder, got .*nowhere: create it first"):
        build(sources, out="nowhere")


def test_a_read_only_output_folder_is_named(sources, monkeypatch):
    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(SystemExit, match=r"out must be a writable folder, got .*: pass another with --out"):
        build(sources)
    assert contents(sources / "out") == {}


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00", b"\x00\x00\x0d\x01\x00\x00\x00\x00"])
def test_a_file_that_is_not_idx_is_refused(content):
    with pytest.raises(ValueError, match="an IDX file of bytes must start with 00 00 08, got"):
        build_datasets.parse_idx(content)


def test_jax_reads_the_pictures_in_place():
    pictures = data.load_mnist().train_images.reshape(-1, 784)[:55_000]
    (on_device,) = _graph.to_device([pictures])
    if on_device.device.platform == "cpu":
        assert on_device.unsafe_buffer_pointer() == pictures.ctypes.data
    np.testing.assert_array_equal(on_device, pictures)


# --- tables -----------------------------------------------------------------------------------------


def test_the_tables_have_their_known_rows_and_holes():
    crash, air, penguins = (data.load_table(name) for name in data.TABLES)
    assert crash.shape == (133, 2) and crash["acceleration (g)"].agg(["min", "max"]).tolist() == [-134, 75]
    assert air.shape == (153, 6) and air.isna().sum().tolist() == [37, 7, 0, 0, 0, 0]
    assert penguins["species"].value_counts().to_dict() == {"Adelie": 152, "Gentoo": 124, "Chinstrap": 68}
    assert penguins["sex"].isna().sum() == 11 and penguins["mass (g)"].isna().sum() == 2


def test_an_unknown_table_is_refused():
    refuses(lambda: data.load_table("iris"), ValueError, "name", "'iris'")


def test_a_changed_table_is_refused(tmp_path, monkeypatch):
    for name in ("penguins.csv", "SHA256SUMS"):
        shutil.copy(data.FOLDER / name, tmp_path / name)
    monkeypatch.setattr(data, "FOLDER", tmp_path)
    text = (tmp_path / "penguins.csv").read_text(encoding="utf-8").replace("3750", "3751", 1)
    (tmp_path / "penguins.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"penguins\.csv must have SHA-256 .*build_tables\.py"):
        data.load_table("penguins")


def test_a_table_keeps_every_entry_and_loses_the_row_numbers_of_r():
    content = b'"","times","accel","z"\n"1",2.40,NA,x\n"2",3,-1.3,y\n'
    assert build_tables.table(content, {"accel": "a (g)", "times": "t (ms)"}) == "a (g),t (ms)\n,2.40\n-1.3,3\n"


def test_tables_keep_the_other_lines_of_the_sums(tmp_path):
    (tmp_path / "SHA256SUMS").write_text("0123  mnist.npz\n4567  a.csv\n")
    build_tables.write_all(tmp_path, {"a.csv": "x\n1\n"})
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert lines == ["0123  mnist.npz", f"{hashlib.sha256(b'x' + bytes([10]) + b'1' + bytes([10])).hexdigest()}  a.csv"]


def test_an_archive_that_is_missing_or_another_is_refused(tmp_path):
    name = next(iter(build_tables.ARCHIVES))
    with pytest.raises(SystemExit, match=f"no {name} found"):
        build_tables.main(["--archives", str(tmp_path), "--out", str(tmp_path)])
    (tmp_path / name).write_bytes(b"another")
    with pytest.raises(SystemExit, match="must have SHA-256"):
        build_tables.main(["--archives", str(tmp_path), "--out", str(tmp_path)])
    assert not (tmp_path / "SHA256SUMS").exists()


# --- files beside the lessons -----------------------------------------------------------------------


def test_a_record_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data.course_file("records/mnist_contest.csv").read_text(encoding="utf-8").startswith("seed,method,")


def test_a_missing_record_is_named_with_its_place_and_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "LESSONS", tmp_path)
    said = r"records/a\.csv must lie in .* got no file at .*: get the whole course"
    with pytest.raises(FileNotFoundError, match=said):
        data.course_file("records/a.csv")
