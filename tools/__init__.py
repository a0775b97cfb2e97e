"""What builds and checks the course: one package, one command line (``python -m tools help``).

==================  ===================================================================================
`tools.text`        the text of a lesson (MyST) → the cells of its notebook; the numbers in its prose
`tools.lessons`     the one runner of lesson code: ``lesson("08")["judge"]``, ``lesson("08").run(…)``
`tools.checks`      what every lesson must satisfy, seen without running it
`tools.form`        what a lesson in the form of today must satisfy besides: budgets, names, results
`tools.pictures`    pictures of less size that are the same to the eye
`tools.build`       runs lessons and writes notebooks, figures, `lessons.json` and `CLAIMS.md`
`tools.exercises`   exercises of a lesson → a notebook with blanks, and one with solutions
`tools.seeds`       the claims of a lesson again, with fresh seeds
`tools.decks`       the text of a deck → Marp's Markdown, filled from the built lessons
`tools.frames`      pictures of an explorer for all places of its main control → an element that moves
`tools.live`        the explorers that move without a kernel, written and put into the notebooks
`tools.slides`      runs Marp and writes the decks
`tools.site`        notebooks, Markdown and decks → the web site
`tools.readme`      the generated parts of `README.md`
`tools.turning`     the animation in `README.md`
`tools.teaching`    the tables of the teacher's pack
`tools.grading`     exercises of a lesson → a master for nbgrader
==================  ===================================================================================
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
SLIDES = ROOT / "slides"
