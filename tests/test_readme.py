"""README.md says what is so: its generated parts are current, its links arrive, its numbers are computed."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

import course
import tools.__main__
from tools import ROOT, checks, decks, form, readme, turning

PAGE = readme.README.read_text(encoding="utf-8")
PROJECT_FILES = ["README.md", "CONTRIBUTING.md", "CITATION.cff", "pyproject.toml", "benchmarks/README.md"]
GITHUB = [
    "https://github.com/ada-lovelace/bnn.course",
    "https://github.com/ada-lovelace/bnn.course.git",
    "https://github.com/ada-lovelace/bnn.course/",
    "https://ada:secret@github.com/ada-lovelace/bnn.course.git",
    "git@github.com:ada-lovelace/bnn.course.git",
    "ssh://git@github.com/ada-lovelace/bnn.course.git",
    "ssh://git@ssh.github.com:443/ada-lovelace/bnn.course.git",
]
ELSEWHERE = [
    None,
    "",
    "https://gitlab.com/ada-lovelace/bnn.course.git",
    "https://github.com.example.org/ada/course.git",
    "https://notgithub.com/ada/course.git",
    "https://example.org/github.com/ada/course",
    "../bnn.course",
    "git@gitlab.com:github.com/course.git",
]


# --- the table of lessons -------------------------------------------------------------------------


def a_course(folder, *names, facts=None):
    """Write a small course into a folder."""
    entries = {name: {"about": f"About {name}.", "afterwards": "do it"} for name in names} if facts is None else facts
    (folder / "source").mkdir()
    for name in names:
        (folder / "source" / f"{name}.md").write_text("# Title\n\n" + "word " * 2_000, encoding="utf-8")
    (folder / "lessons.json").write_text(json.dumps({name: {"title": f"Title of {name}"} for name in names}))
    lines = [f'["{name}"]\n' + "".join(f'{key} = "{said}"\n' for key, said in e.items()) for name, e in entries.items()]
    (folder / "lessons.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


def page_of(folder):
    return (
        f"<!-- generated: lessons -->\n{readme.lessons_table(folder)}<!-- /generated -->\n"
        f"<!-- generated: binder -->\n{readme.badge(None)}<!-- /generated -->\n"
    )


def test_the_readme_is_current():
    assert readme.problems(PAGE) == [], "run `python -m tools readme`"


def test_every_lesson_is_in_the_table_with_a_link_to_its_notebook():
    names = checks.lesson_names(readme.NOTEBOOKS)
    linked = re.findall(r"\]\(notebooks/([\w/]+)\.ipynb\)<br>", readme.parts(PAGE)["lessons"])
    assert linked == names and len(names) >= 11
    assert all((readme.NOTEBOOKS / f"{name}.ipynb").exists() for name in names)


def test_a_row_has_title_sentence_minutes_and_what_one_can_do(tmp_path):
    row = readme.lessons_table(a_course(tmp_path, "03_elbo")).splitlines()[-1]
    assert row == "| 03 | [**Title of 03_elbo**](notebooks/03_elbo.ipynb)<br>About 03_elbo. | 10 | do it |"


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({}, "lessons.toml does not say of 03_elbo: about, afterwards"),
        ({"03_elbo": {"about": "It.", "afterwards": " "}}, "lessons.toml does not say of 03_elbo: afterwards"),
        ({"03_elbo": {"about": "It.", "afterwards": "do", "minuts": "9"}}, "says of 03_elbo what nobody reads: minuts"),
        ({"03_elbo": {"about": "It.", "afterwards": "do"}, "04_x": {}}, "an entry 04_x, which is no lesson"),
    ],
)
def test_a_lesson_without_its_facts_is_reported_and_no_table_is_written(tmp_path, facts, problem):
    folder = a_course(tmp_path, "03_elbo", facts=facts)
    (found,) = readme.lessons_problems(folder)
    assert problem in found
    with pytest.raises(readme.ReadmeError, match=re.escape(problem)):
        readme.lessons_table(folder)


def test_a_lesson_that_was_never_built_is_reported(tmp_path):
    folder = a_course(tmp_path, "03_elbo")
    (folder / "lessons.json").write_text("{}")
    assert readme.lessons_problems(folder) == ["03_elbo has no title in lessons.json: build it"]


def test_a_table_that_is_out_of_date_is_reported(tmp_path):
    folder = a_course(tmp_path, "03_elbo")
    page = page_of(folder)
    assert readme.problems(page, folder) == []
    (folder / "source" / "03_elbo.md").write_text("# Title\n\n" + "word " * 4_000, encoding="utf-8")
    assert readme.problems(page, folder) == ["the table of lessons in README.md is out of date"]


def test_minutes_count_prose_and_visible_code_without_exercises_and_sources():
    prose = "# Title\n\n" + "word " * 1_998 + "\n\n+++\n\n"
    left_out = "## Exercises\n\n" + "word " * 3_000 + "\n\n+++\n\n## Sources\n\n" + "word " * 3_000
    code = "```{code-cell} ipython3\n" + "x = 1\n" * 240 + "```\n\n"
    folded = "```{code-cell} ipython3\n:tags: [result]\n" + "x = 1\n" * 240 + "```\n\n"
    assert form.minutes(prose + left_out) == 10
    assert form.minutes(prose + code + left_out) == 30
    assert form.minutes(prose + folded + left_out) == 10
    assert form.minutes("# Title") == 5


# --- the badge --------------------------------------------------------------------------------------


@pytest.mark.parametrize("remote", GITHUB)
def test_the_badge_leads_to_the_repository_on_github(remote):
    badge = readme.badge(remote)
    assert "](https://mybinder.org/v2/gh/ada-lovelace/bnn.course/HEAD?urlpath=lab/tree/notebooks/00_start" in badge
    assert "secret" not in badge and readme.badge_problems(badge) == []


@pytest.mark.parametrize("remote", ELSEWHERE)
def test_without_github_a_sentence_says_how_to_get_the_badge(remote):
    sentence = readme.badge(remote)
    assert "push it to GitHub" in sentence and "python -m tools readme" in sentence and "/v2/gh/" not in sentence
    assert readme.badge_problems(sentence) == []


def test_another_remote_gives_another_page():
    pages = [
        readme.filled(PAGE, {"binder": readme.badge(remote)}) for remote in (None, GITHUB[0], "git@github.com:a/b")
    ]
    assert len(set(pages)) == 3 and [readme.problems(page) for page in pages] == [[], [], []]
    assert readme.filled(pages[1], {"binder": readme.badge(None)}) == pages[0]


def test_a_badge_that_was_edited_is_reported():
    wrong = readme.badge(GITHUB[0]).replace("00_start_here", "README")
    assert readme.problems(readme.filled(PAGE, {"binder": wrong})) == ["the Binder badge is not as the build writes it"]


def test_git_is_not_asked_about_a_folder_above(tmp_path):
    assert readme.git_remote(tmp_path) is None


def test_a_page_without_its_marks_is_refused():
    with pytest.raises(readme.ReadmeError, match="no place for binder, lessons"):
        readme.filled("# Nothing\n", {"lessons": "", "binder": ""})
    assert "README.md has no part <!-- generated: lessons -->" in readme.problems("# Nothing\n")


# --- what stands in the page --------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROJECT_FILES)
def test_no_placeholder_is_left(name):
    assert re.findall(r"OWNER|TODO|FIXME|<your|your-account", (ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "benchmarks/README.md"])
def test_links_and_images_lead_to_files_that_exist(name):
    page = ROOT / name
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", text)
    assert targets and [target for target in targets if not (page.parent / target).exists()] == []


def test_links_inside_the_page_arrive():
    headings = {
        re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= headings


def test_the_two_commands_are_words_of_the_script():
    assert re.findall(r"^```sh\n(make \w+)\n```$", PAGE, re.MULTILINE) == ["make lab", "make test"]
    assert {"lab", "test"} <= set(course.WORDS)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "benchmarks/README.md"])
def test_every_command_that_is_named_exists(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert set(re.findall(r"(?:^make|`make|\bcourse\.py) ([a-z]+)\b", text, re.MULTILINE)) <= set(course.WORDS)
    assert set(re.findall(r"python -m tools (\w+)", text)) <= set(tools.__main__.WORDS)
    scripts = re.findall(r"python ((?:benchmarks|studies|bnn_course)/[\w/]+\.py)", text)
    assert [script for script in scripts if not (ROOT / script).exists()] == []


def test_the_pythons_are_those_that_the_script_accepts():
    assert "Python {}, {}, {} or {}".format(*course.PYTHONS) in PAGE


def test_the_talk_takes_as_long_as_the_readme_says():
    deck = (ROOT / "slides" / "course.md").read_text(encoding="utf-8")
    assert f"a talk of {decks.minutes(deck):.0f} minutes" in PAGE


def test_no_path_or_address_of_a_machine_is_in_the_page():
    assert re.findall(r"/(?:home|root|work|Users|tmp)/|localhost|\d+\.\d+\.\d+\.\d+", PAGE) == []


# --- the animation ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def turned():
    return turning.turn()


def test_the_animation_is_small_moves_and_comes_from_the_posterior_that_ships():
    assert turning.PICTURE.stat().st_size <= 700_000
    assert turning.is_current(), "run `python -m tools readme --picture`"
    with Image.open(turning.PICTURE) as picture:
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(picture)]
    assert len(durations) == 360 // turning.STEP and 5_000 < sum(durations) < 15_000


def test_the_alternative_text_says_what_the_network_says(turned):
    ((alt, path),) = re.findall(r"!\[([^\]]+)\]\((notebooks/[^)]+)\)", PAGE)
    assert Path(path).name == turning.PICTURE.name and 100 < len(alt) < 500
    said = {angle: turned.answer(angle) for angle in turning.STOPS}
    assert said[0][0] == 6 and f"Upright, the network says 6 with {turning.verdict(said[0][1])}." in alt
    assert f"At 75° it does not know: no digit gets more than {100 * said[75][1]:.0f} %" in alt
    assert f"At 150°, nearly upside down, it says 9 with {turning.verdict(said[150][1])}." in alt and said[150][0] == 9
    assert f"its {turned.draws.shape[0]} networks" in alt


def test_the_first_frame_is_one_of_great_doubt(turned):
    assert turned.doubt[turned.place(turning.FIRST)] > 0.95 * turned.doubt.max()


def test_nothing_in_a_frame_overlaps_or_is_cut_off(turned):
    figure = turning.Figure(figsize=turning.SIZE, dpi=turning.DPI)
    canvas = turning.FigureCanvasAgg(figure)
    turning.draw(figure, turned, 0)  # "over 99 %" is the longest verdict
    canvas.draw()
    boxes = [ax.get_tightbbox() for ax in figure.axes] + [text.get_window_extent() for text in figure.texts]
    pairs = [(i, j) for i in range(len(boxes)) for j in range(i) if boxes[i].overlaps(boxes[j])]
    assert pairs == []
    for ax in figure.axes:
        texts = [ax.title, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts]
        words = [text.get_window_extent() for text in texts if text.get_text()]
        assert [(i, j) for i in range(len(words)) for j in range(i) if words[i].overlaps(words[j])] == []
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert all(figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1 for box in boxes)
