"""The web site of the course: every lesson, exercise, appendix and the teacher's pack as a page.

Nothing is run and no server is asked: the pages show the outputs that the notebooks store. What Sphinx cannot know is
written into copies of notebooks and Markdown files, which lie as in the course: alt texts and sizes of pictures, folds,
links that lead out of the site, and under each title the ways to work with the notebook. An explorer stands there as it
moves without a kernel; its first picture is for paper. Settings and style are in the folder ``tools/site``.

Beside its page lies each notebook, to be downloaded. Where the repository is on GitHub, its first cell installs the
course in Google Colab; the branch from which GitHub publishes the site is the one that Colab opens.
"""

from __future__ import annotations

import argparse
import html
import itertools
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat

from tools import NOTEBOOKS, ROOT, SLIDES, checks, live, readme, symbols, text

TARGET = ROOT / "build" / "site"
START = "notebooks/00_start_here.ipynb"  # holds the table of symbols
BRANCH = "gh-pages"  # what GitHub publishes
FOLDERS = {
    "notebooks/appendix": "Appendices",
    "notebooks/exercises": "Exercises",
    "notebooks/solutions": "Solutions",
    "slides": "Slides",
}
CODE_OR_LINK = re.compile(
    r"(?P<code>^(?P<fence>`{3,}).*?^(?P=fence)`*$|(?P<ticks>`+).+?(?P=ticks))"
    r"|(?P<picture>!?)\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)",
    re.MULTILINE | re.DOTALL,
)
ANCHOR = re.compile(r'<a id="([\w-]+)"></a>')
SUMMARY = re.compile(r"<summary>.*?</summary>", re.DOTALL)
INSTALL = """\
# In Google Colab this cell installs the course, which takes some minutes; elsewhere it only looks for the course.
import sys
from importlib.util import find_spec
from pathlib import Path

if "google.colab" in sys.modules and not Path("course").exists():
    !git clone -q --depth 1 {repository} course && pip install -q './course[cluster]'
    sys.path.insert(0, str(Path("course").resolve()))
package = find_spec("bnn_course")
if package is None:
    raise ModuleNotFoundError(
        "bnn_course must be installed, and this Python does not have it: set the course up as {repository} says"
    )
if not (Path(package.origin).parents[1] / "notebooks" / "records").is_dir():
    raise FileNotFoundError(
        "The folder notebooks/records must lie beside bnn_course, and does not: get the whole course from {repository}"
    )
"""


class SiteError(Exception):
    """A site that cannot be built; the message says why."""


class Repository(NamedTuple):
    """Where the course lives on GitHub."""

    account: str
    name: str

    @property
    def address(self) -> str:
        """Return the address of the repository."""
        return f"https://github.com/{self.account}/{self.name}"


def repository_of(remote: str | None) -> Repository | None:
    """Return the repository on GitHub that a git remote names, or None."""
    found = readme.GITHUB.fullmatch(remote or "")
    return Repository(found["account"], found["repository"]) if found else None


# Which pages there are ------------------------------------------------------------------------------------------------


def notebook_paths() -> list[str]:
    """Return the paths of all notebooks in the course: lessons, appendices, exercises, solutions."""
    lessons = [f"notebooks/{name}.ipynb" for name in checks.lesson_names(NOTEBOOKS)]
    parts = [sorted(NOTEBOOKS.glob(f"{part}/*.ipynb")) for part in ("exercises", "solutions")]
    return lessons + [path.relative_to(ROOT).as_posix() for paths in parts for path in paths]


def markdown_paths() -> list[str]:
    """Return the paths of the Markdown files that are pages, without the README."""
    paths = [*sorted(NOTEBOOKS.glob("*.md")), *sorted((ROOT / "teaching").glob("*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in paths]


PAGES = {
    "README.md": "index.md",
    **{path: path for path in (*notebook_paths(), *markdown_paths())},
    **{folder: f"{folder}/index.md" for folder in FOLDERS},
}  # file or folder of the course -> file that Sphinx reads


# Text -----------------------------------------------------------------------------------------------------------------


def prose(markdown: str, page: str, repository: Repository | None) -> str:
    """Return Markdown of a page as Sphinx reads it, with links that arrive, anchors, and formulas in summaries.

    Links between pages stay. Decks are opened as they are. What is in the repository alone is linked there, or, where
    there is none, named without a link. A picture from a server is replaced by its alt text.
    """

    def arriving(found: re.Match[str]) -> str:
        words, target = found["text"], found["target"] or ""
        if found["code"] or target.startswith("mailto:"):
            return found[0]
        if target.startswith("http"):
            return words if found["picture"] else found[0]
        path, mark, heading = target.partition("#")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
        if found["picture"]:
            return found[0]
        if place in PAGES:
            to = f"{_from(page, PAGES[place])}" if path else ""
            return f"[{words}]({to}{mark}{_slug(heading)})"
        if Path(place).parts[0] == SLIDES.name:
            return f'<a href="{path}">{words}</a>'
        if not (ROOT / place).exists():
            raise SiteError(f"{page} links to {target}, which does not exist")
        return f"[{words}]({repository.address}/tree/HEAD/{place})" if repository else words

    markdown = CODE_OR_LINK.sub(arriving, markdown)
    markdown = SUMMARY.sub(lambda found: text.MATH.sub(_formula_in_html, found[0]), markdown)
    return ANCHOR.sub(r"[]{#\1}", markdown)


def _from(page: str, place: str) -> str:
    """Return the path of a place as seen from a page."""
    return posixpath.relpath(place, posixpath.dirname(page) or ".")


def _slug(heading: str) -> str:
    """Return what MyST and GitHub call a heading that JupyterLab calls "A-test,-and-a-thousand-people"."""
    return re.sub(r"[^\w-]", "", heading).lower()


def _formula_in_html(formula: re.Match[str]) -> str:
    """Write a formula as Sphinx does, for MathJax."""
    return rf'<span class="math notranslate nohighlight">\({formula[0].strip("$")}\)</span>'


def ways(page: str, repository: Repository | None) -> str:
    """Return the links under the title of a notebook: where to run it, and what belongs to it."""
    stem = Path(page).stem
    found = {}
    if repository:
        account, name = repository
        found["Open in Binder"] = f"https://mybinder.org/v2/gh/{account}/{name}/HEAD?urlpath=lab/tree/{page}"
        found["Open in Colab"] = f"https://colab.research.google.com/github/{account}/{name}/blob/{BRANCH}/{page}"
    found["Download notebook"] = Path(page).name
    lesson = f"notebooks/{stem}.ipynb"
    belongs = {
        "Lesson": lesson,
        "Exercises": f"notebooks/exercises/{stem}.ipynb",
        "Solutions": f"notebooks/solutions/{stem}.ipynb",
        "Slides": f"slides/{stem}.html",
        "Slides as PDF": f"slides/{stem}.pdf",
    }
    for word, place in belongs.items():
        if place != page and (ROOT / place).exists():
            found[word] = _from(page, place.replace(".ipynb", ".html"))
    links = (f'<a href="{address}"{" download" * (address == Path(page).name)}>{w}</a>' for w, address in found.items())
    return f'<p class="ways">{" ".join(links)}</p>'


def new_symbols(page: str) -> Iterator[str]:
    """Yield a line with the symbols that a lesson is the first to use, each with a link to its row in lesson 00."""
    rows = symbols.ROW.finditer((NOTEBOOKS / "source" / "00_start_here.md").read_text(encoding="utf-8"))
    if Path(page).parent.name in ("exercises", "solutions"):
        return
    first = [(n, row["symbols"]) for n, row in enumerate(rows) if row["first"] == text.number_of(page)]
    if links := [f"[{formulas}]({_from(page, START)}#symbol-{n})" for n, formulas in first]:
        yield f"**New symbols** — {', '.join(links)}"


# Pages ----------------------------------------------------------------------------------------------------------------


def notebook_page(path: str, repository: Repository | None) -> nbformat.NotebookNode:
    """Return a notebook as Sphinx reads it."""
    notebook = nbformat.read(ROOT / path, as_version=4)
    rows = itertools.count()  # of the table of symbols
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            source = prose(cell.source, path, repository)
            if place == 0:
                title, _, rest = source.partition("\n")
                source = "\n\n".join([title, ways(path, repository), rest.strip(), *new_symbols(path)])
            if path == START:
                source = symbols.ROW.sub(lambda row: f"| []{{#symbol-{next(rows)}}}{row[0].removeprefix('| ')}", source)
            cell.source = source
        else:
            _dress(cell)
            if text.is_explorer(cell):
                _set_moving(cell)
    return notebook


def _set_moving(cell: nbformat.NotebookNode) -> None:
    """Leave of an explorer what moves without a kernel, with its first picture inside, for paper."""
    moving = [output for output in cell.outputs if live.is_live(output)]
    if not moving:
        raise SiteError(f"the explorer of cell {cell.metadata.name} must move here, too: run `python -m tools live`")
    (picture,), (place,) = checks.pictures(cell), moving
    alt, png = html.escape(picture.metadata["image/png"]["alt"]), picture.data["image/png"].replace("\n", "")
    before, end, after = place.data["text/html"].rpartition("</bnn-")
    place.data["text/html"] = f'{before}<img alt="{alt}" src="data:image/png;base64,{png}">{end}{after}'
    cell.outputs = moving


def _dress(cell: nbformat.NotebookNode) -> None:
    """Tell myst-nb what the metadata of a code cell say: alt text and width of its picture, and its fold."""
    shown = {}
    for output in checks.pictures(cell):
        facts = output.metadata["image/png"]
        shown["image"] = {"alt": facts["alt"]} | ({"width": f"{facts['width']}px"} if "width" in facts else {})
    if re.search("^[✓✗◻] ", checks.output_text(cell), re.MULTILINE):
        cell.metadata["tags"] = [*cell.metadata.get("tags", []), "sentences"]  # they wrap, tables of numbers do not
    if text.is_folded(cell):
        cell.metadata["tags"] = [*cell.metadata["tags"], "hide-input"]
        shown |= dict.fromkeys(("code_prompt_show", "code_prompt_hide"), f"Code: {_first_comment(cell)}")
    cell.metadata["mystnb"] = shown


def _first_comment(cell: nbformat.NotebookNode) -> str:
    """Return what a folded cell holds: its first line says it."""
    return cell.source.partition("\n")[0].removeprefix("# ")


def write_pages(folder: Path, repository: Repository | None) -> None:
    """Write what Sphinx reads, each page where it lies in the course, and a table of contents for each folder."""
    for path in notebook_paths():
        _write(folder / path, nbformat.writes(notebook_page(path, repository)))
    for path in ("README.md", *markdown_paths()):
        _write(folder / PAGES[path], prose((ROOT / path).read_text(encoding="utf-8"), path, repository))
    for part, title in FOLDERS.items():
        inside = "\n".join(_decks()) if part == SLIDES.name else _contents(_pages_in(part))
        _write(folder / part / "index.md", f"# {title}\n\n{inside}\n")
    for part in ("images", "figures/solutions"):
        shutil.copytree(NOTEBOOKS / part, folder / "notebooks" / part)
    with (folder / "index.md").open("a", encoding="utf-8") as page:
        page.write(_contents(_pages_in("notebooks"), "Lessons"))
        page.write(_contents([*(f"{part}/index" for part in FOLDERS), *_pages_in("notebooks", ".md")], "More"))
        page.write(_contents(["teaching/README"], "Teaching"))
    with (folder / "teaching" / "README.md").open("a", encoding="utf-8") as page:
        page.write(_contents(_pages_in("teaching", ".md")))


def _pages_in(folder: str, kind: str = ".ipynb") -> list[str]:
    """Return the pages of one kind in a folder, but not its own, as Sphinx calls them: from the root of the site."""
    places = [Path(path) for path in PAGES if Path(path).parent == Path(folder) and Path(path).suffix == kind]
    return [f"/{place.with_suffix('').as_posix()}" for place in places if place.stem != "README"]


def _contents(pages: Iterable[str], caption: str = "") -> str:
    """Return a table of contents: with a caption for the side bar alone, without one as a list on the page, too."""
    options = [f":caption: {caption}", ":hidden:"] if caption else [":maxdepth: 1"]
    return "\n".join(["", "```{toctree}", *options, "", *pages, "```", ""])


def _decks() -> Iterator[str]:
    """Yield a line for each deck: its title, and the files to open."""
    for deck in sorted(SLIDES.glob("*.md")):
        title = re.search(r'^title: "(.+)"$', deck.read_text(encoding="utf-8"), re.MULTILINE)[1]
        yield f'- <a href="{deck.stem}.html">{title}</a> (<a href="{deck.stem}.pdf">PDF</a>)'


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8", newline="\n")


def downloads(target: Path, repository: Repository | None) -> None:
    """Put beside the pages what they lead to: the notebooks, as they are but for the cell for Colab, and the decks."""
    for path in notebook_paths():
        notebook = nbformat.read(ROOT / path, as_version=4)
        if repository:
            cell = nbformat.v4.new_code_cell(INSTALL.format(repository=repository.address), id="install")
            notebook.cells.insert(0, cell)
        _write(target / path, nbformat.writes(notebook) + "\n")
    for deck in sorted([*SLIDES.glob("*.html"), *SLIDES.glob("*.pdf")]):
        shutil.copy(deck, target / "slides")


def build(target: Path = TARGET, remote: str | None = None) -> None:
    """Build the site into a folder, which is emptied first; a warning of Sphinx is an error."""
    repository = repository_of(remote)
    if target.exists():
        shutil.rmtree(target)
    with tempfile.TemporaryDirectory() as scratch:
        write_pages(Path(scratch) / "pages", repository)
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", ROOT / "tools" / "site"]
        if subprocess.call([*command, "-d", f"{scratch}/doctrees", f"{scratch}/pages", target]):
            raise SiteError("Sphinx could not build the site: its own words stand above")
    downloads(target, repository)


def main(arguments=None):
    """Build the web site from the stored notebooks into build/site."""
    argparse.ArgumentParser(prog="python -m tools site", description=main.__doc__).parse_args(arguments)
    begin = time.monotonic()
    try:
        build(remote=readme.git_remote())
    except SiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"built in {time.monotonic() - begin:.0f} s: open {TARGET / 'index.html'}")
    return 0
