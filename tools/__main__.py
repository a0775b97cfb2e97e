"""The command line: ``python -m tools WORD …``; the words of `course.py` call it in the course's environment."""

import sys

from tools import build, exercises, grading, live, readme, seeds, site, slides, teaching

WORDS = {
    "lessons": build.main,
    "exercises": exercises.main,
    "slides": slides.main,
    "live": live.main,
    "site": site.main,
    "seeds": seeds.main,
    "readme": readme.main,
    "teaching": teaching.main,
    "grading": grading.main,
}


def main(arguments):
    """Run the word that the command line names."""
    if arguments and arguments[0] in WORDS:
        return WORDS[arguments[0]](arguments[1:])
    print("Usage: python -m tools WORD …\n")
    for word, action in WORDS.items():
        print(f"  {word:<9} {action.__doc__.splitlines()[0]}")
    return 0 if arguments in ([], ["help"]) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
