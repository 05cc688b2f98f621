"""
A page that needs nothing but itself, and that no name in it has broken:

	page.py FILE

prints its text, a piece of it a line. Every element is closed where it should be, nothing in it runs, and
nothing is loaded from anywhere.
"""

import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "hr"}
KNOWN = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section", "div", "span",
    "h1", "h2", "p", "b", "i", "small", "ul", "li", "table", "tr", "th", "td", "svg", "g", "rect", "line", "text",
}
LOADS = {"src", "srcset", "href", "xlink:href", "data", "action", "poster", "background", "style"}


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open = []
        self.pieces = []
        self.policy = None

    def look(self, tag, attributes):
        where = f"<{tag}> at {self.getpos()}"
        assert tag in KNOWN, f"what is {where}?"
        names = [name for name, _ in attributes]
        assert len(set(names)) == len(names), f"an attribute twice: {where}"
        for name, value in attributes:
            assert re.fullmatch(r"[a-z][A-Za-z0-9:-]*", name), f"attribute {name!r}: {where}"
            assert name not in LOADS and not name.startswith("on"), f"{name}: {where}"
            assert value is not None and "://" not in value, f"{name}={value!r}: {where}"
        given = dict(attributes)
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]

    def handle_starttag(self, tag, attrs):
        self.look(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.look(tag, attrs)
        assert "svg" in self.open, f"<{tag}/> is for SVG only"

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> at {self.getpos()} within {self.open}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            assert not re.search(r"url|@import|expression|<", data), "the style loads something"
        elif data.strip():
            self.pieces.append(data)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open, f"never closed: {page.open}"
    assert text.startswith("<!DOCTYPE html>")
    assert page.policy and page.policy.startswith("default-src 'none';"), f"policy: {page.policy}"
    for piece in page.pieces:
        print(piece)


main()
