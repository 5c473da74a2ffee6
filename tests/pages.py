"""What a reader sees of a report."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

from eegflex.evaluation import assess
from eegflex.report.html import escape
from eegflex.report.parts import Gathered, Text
from eegflex.report.sections import SECTIONS, on_top


class Page(HTMLParser):
    """Gathers the text, tags and pictures of HTML."""

    def __init__(self, html):
        super().__init__()
        self.texts, self.tags, self.images, self.scripts, self.within = [], [], [], 0, ""
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.texts))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.within = tag
        self.scripts += tag == "script" and not dict(attrs).get("type")  # others are data
        source = dict(attrs).get("src") or ""
        if tag == "img" and source.startswith("data:image/png;base64,"):
            self.images.append(base64.b64decode(source.partition(",")[2]))

    def handle_endtag(self, tag):
        self.within = ""

    def handle_data(self, data):
        if self.within not in ("script", "style"):
            self.texts.append(data)


def read(report, folder):
    """The body of a report's file."""
    html = report.save(folder / "page.html", overwrite=True).read_text(encoding="utf-8")
    return Page(html[html.index("<body>") :])


def written(result, **kwargs):
    """The text that a report of a result is to hold, without a figure being drawn."""
    gathered = Gathered(result, assess(result), **kwargs)
    parts = [part for section in SECTIONS for part in section(gathered)]
    told = [escape(text) for text in on_top(gathered)]
    told += [part.html if isinstance(part, Text) else part.caption for part in parts]
    return Page(" ".join(told)).text
