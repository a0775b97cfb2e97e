"""A tiny course of two lessons, built once: what the tests of the build and of the rules work on."""

import shutil
from pathlib import Path

import pytest

from tools import build

NOTEBOOKS = (build.ROOT / "notebooks")

HEADER = """---
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

"""
ENDING = """
## What we saw

Enough.

+++

## Exercises

1. Break it.

+++

## Sources

- <a id="source-deck"></a>**[deck]** Somebody (2017), *A deck*, 12 pages.
"""
START = (
    HEADER
    + """# 00 · Start

**What you will learn** what [a deck](#source-deck) holds. **What you need** nothing.
**How long it takes** — about 5 minutes to read (text and code; the exercises come on top).

```{code-cell} ipython3
:name: map
import json
from pathlib import Path

from bnn_course.claims import claim

for name, row in json.loads(Path("lessons.json").read_text()).items():
    print(name, row["title"], row["seconds"], row["megabytes"])
```

```{code-cell} ipython3
:name: map-results
:tags: [result]
# what the tests check
claim("00-ready", "The course is ready", True)
```
"""
    + ENDING
)
TINY = (
    HEADER
    + """# 01 · Tiny

**What you will learn** little. **What you need** nothing.
**How long it takes** — about 5 minutes to read (text and code; the exercises come on top).

+++

## The question

The deck says [97.7 %]{source=deck}. We draw [10 000]{code} numbers and reach [96 %]{claim=01-share}
(at least [93 %]{claim=01-share, bound}, see lesson 00).

```{code-cell} ipython3
:name: draw
import matplotlib.pyplot as plt
import numpy as np
from bnn_course.claims import claim

values = np.random.default_rng(1).normal(size=10_000)
tag = {"bnn_course": "progress"}
before, after = ({"text/plain": line} for line in ("1 of 2   9 s left", "2 in 9 s"))
progress = display(before, raw=True, metadata=tag, display_id=True)
progress.update(after, raw=True, metadata=tag)
print("the first line")
```

```{code-cell} ipython3
:name: share
:tags: [result]
# what the tests check
share = np.mean(np.abs(values) < 2)
claim(
    "01-share",
    "{value:.1%} of {draws:,} values lie within two standard deviations",
    share,
    at_least=0.93,
    draws=10_000,
)
```

```{code-cell} ipython3
:name: histogram
:tags: [figure]
:alt: A histogram: symmetric, with one peak at zero.
:caption: Values near zero are frequent, [95.6 %]{claim=01-share} are near.
# draws the histogram
fig, ax = plt.subplots()
ax.hist(values)
plt.show()
```

The histogram is bell-shaped, [as we said](#source-deck).

```{code-cell} ipython3
:name: machine
:tags: [nbval-ignore-output]
import sys

import ipywidgets

print(sys.version_info.minor)
ipywidgets.IntSlider(description="steps")
```

+++
"""
    + ENDING
)


def write_sources(folder):
    """Write the sources of the two lessons."""
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "00_start.md").write_text(START, encoding="utf-8")
    (folder / "source" / "01_tiny.md").write_text(TINY, encoding="utf-8")
    shutil.copy(NOTEBOOKS / "matplotlibrc", folder)
    return folder


@pytest.fixture
def sources(tmp_path):
    """A course that has not been built."""
    return write_sources(tmp_path / "notebooks")


@pytest.fixture(scope="session")
def built_once(tmp_path_factory):
    folder = write_sources(tmp_path_factory.mktemp("tiny") / "notebooks")
    assert build.main([], folder) == 0
    return folder


@pytest.fixture
def course(built_once, tmp_path, monkeypatch):
    """A copy of the built course, to be broken. Its records of time and memory stay, however busy the machine is."""
    monkeypatch.setattr(build, "TOLERANCE", 1e9)
    return Path(shutil.copytree(built_once, tmp_path / "notebooks"))
