"""Sphinx's settings for the web site; `tools.site` writes the pages that it reads, and calls it."""

from importlib.util import find_spec
from pathlib import Path

MATHJAX = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static"  # MathJax 3.2.2 as npm ships it

project = "Bayesian neural networks"
author = "The contributors"
copyright = "the contributors, CC BY 4.0 (text, figures, slides) and BSD 3-Clause (code)"
html_title = project
language = "en"

extensions = ["myst_nb", "sphinx.ext.githubpages"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "attrs_inline", "dollarmath"]
myst_heading_anchors = 3

# Everything a page needs ships with the site.
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}  # with its menu, each formula would be a stop of the Tab key
html_static_path = ["static", str(MATHJAX)]
exclude_patterns = ["mathjax/*svg*", "mathjax/*mml*.js", "mathjax/*full*", "mathjax/node-main.js", "mathjax/output/svg"]

html_theme = "sphinx_book_theme"
html_css_files = ["course.css"]
html_favicon = "static/icon.svg"
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_use_index = False
html_copy_source = False  # tools.site puts the notebooks themselves beside their pages
html_show_sourcelink = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # the side bar has the search
    "search_bar_text": "Search the course",
}
