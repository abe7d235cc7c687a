"""Writes all pages that are made from the code."""

from tests.reference.pages import PAGES

if __name__ == "__main__":
    for path, made in PAGES.items():
        path.write_text(made(), "utf-8")
