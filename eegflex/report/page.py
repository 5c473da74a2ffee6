"""The page of a report: one light HTML file that asks nothing of a network, or a PDF of it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from eegflex._version import __version__
from eegflex.errors import MissingExtraError, ParameterError
from eegflex.report.colours import variables
from eegflex.utils.arguments import checked_methods
from eegflex.utils.files import check_output, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from eegflex.report.explorer import Fragment

__all__ = ["Report", "Section", "SectionPart", "check_report_file", "fill", "make_page"]

#: What a page may load: nothing. Scripts run if they are those that the page was made with, whatever a file's text holds.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {scripts}; "
    "base-uri 'none'; form-action 'none'"
)

#: What paper has no use for: scripts and their data, and links to an epoch of the explorer.
_SCREEN_ONLY = re.compile(r"<script\b.*?</script>| href=\"#epoch=\d+\"", re.DOTALL)


@dataclass(frozen=True)
class SectionPart:
    """HTML under a heading, or under that of its section where it has none."""

    heading: str
    html: str


@dataclass(frozen=True)
class Section:
    """Parts under a title."""

    title: str
    parts: tuple[SectionPart, ...]

    @property
    def id(self) -> str:
        """What a link to it is called."""
        return "section-" + re.sub(r"[^a-z0-9]+", "-", self.title.casefold()).strip("-")


@checked_methods
@dataclass(frozen=True, repr=False)
class Report:
    """A report of a result, as `make_report` makes it.

    Attributes
    ----------
    title : str
        Its title.
    html : str
        The whole page: text, styles and pictures. It loads nothing.
    sections : tuple of str
        The titles of its sections, in order.

    See Also
    --------
    eegflex.make_report : A result on one page.
    eegflex.cohort.make_cohort_report : A cohort on one page.

    Examples
    --------
    >>> import tempfile
    >>> from eegflex.report import Report
    >>> report = Report("A night", "<!DOCTYPE html><title>A night</title>", ("Summary",))
    >>> report
    <Report | A night, 1 section, 0.0 MB>
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(report.save(f"{folder}/night.html").name)
    night.html
    """

    title: str
    html: str
    sections: tuple[str, ...] = ()

    def __repr__(self) -> str:
        n, size = len(self.sections), len(self.html.encode()) / 1e6
        return f"<Report | {self.title}, {n} section{'' if n == 1 else 's'}, {size:.1f} MB>"

    def save(self, fname: str | Path, *, overwrite: bool = False) -> Path:
        """Save the report to a file.

        Parameters
        ----------
        fname : path-like
            The file: ``*.html``, or ``*.pdf``, for which WeasyPrint is needed (the extra ``pdf``).
        overwrite : bool
            Whether a file of that name may be replaced.

        Returns
        -------
        fname : Path
            The file.

        Raises
        ------
        ParameterError
            If the name has another suffix.
        MissingExtraError
            If a PDF is asked for without WeasyPrint.
        OutputError
            If the file is there already, or cannot be written.
        """
        path = check_output(check_report_file(fname), overwrite=overwrite)
        content = _WRITERS[path.suffix.casefold()](self)
        return write_whole(path, lambda temporary: temporary.write_bytes(content), overwrite=overwrite)


def _as_html(report: Report) -> bytes:
    return report.html.encode()


def _as_pdf(report: Report) -> bytes:
    weasyprint = _weasyprint()
    held = weasyprint.urls.URLFetcher(allowed_protocols=["data"])  # what is in the page itself, and nothing else
    return bytes(weasyprint.HTML(string=_SCREEN_ONLY.sub("", report.html), url_fetcher=held).write_pdf())


def _weasyprint() -> Any:
    try:
        import weasyprint
    except (ImportError, OSError) as error:  # OSError: Pango, which it draws with, is not there
        raise MissingExtraError("A report is written as PDF by WeasyPrint", "pdf") from error
    return weasyprint


_WRITERS: dict[str, Callable[[Report], bytes]] = {".html": _as_html, ".htm": _as_html, ".pdf": _as_pdf}


def check_report_file(fname: str | Path) -> Path:
    """Refuse a name that is not that of a report, and a PDF that cannot be written, before work is done for it."""
    path = Path(fname)
    if path.suffix.casefold() not in _WRITERS:
        raise ParameterError("A report is written as HTML or PDF", seen=path, allowed="a name in .html or .pdf")
    if path.suffix.casefold() == ".pdf":
        _weasyprint()
    return path


#: What is longer, in characters of HTML, has the width of the page: in a column it would be very long.
_NARROW = 20000
#: So have tables of more columns.
_MANY = 8


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("eegflex.report"), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )


def fill(template: str, **values: Any) -> Markup:
    """Fill a template; what is not `markupsafe.Markup` is escaped."""
    return Markup(_templates().get_template(template).render(**values))  # noqa: S704  (it escaped what it was given)


def _file(name: str) -> str:
    """A style or a script of the page, as it is."""
    environment = _templates()
    assert environment.loader is not None  # noqa: S101  (as it was made)
    return environment.loader.get_source(environment, name)[0]


def make_page(
    title: str,
    sections: Sequence[Section],
    *,
    subtitle: str = "",
    warnings: Iterable[str] = (),
    first_screen: str = "",
    explorer: Fragment | None = None,
    stages: Sequence[str] = (),
    scripts: Sequence[str] = (),
) -> Report:
    """Put a page together.

    Parameters
    ----------
    title, subtitle : str
        Its heading, and what stands below that.
    sections : sequence of Section
        In order; their HTML is put in as it is.
    warnings : iterable of str
        What stands on top, so that nothing is read without it.
    first_screen : str
        HTML of what is seen first.
    explorer : Fragment | None
        Where a reader walks through the night.
    stages : sequence of str
        Those of the stager, of which each has a colour.
    scripts : sequence of str
        Further scripts of ours, by the names of their templates.
    """
    scripts = [_file("page.js"), *map(_file, scripts), *([explorer.script] if explorer else [])]
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    page = fill(
        "page.html",
        title=title,
        subtitle=subtitle,
        warnings=list(warnings),
        first_screen=Markup(first_screen),  # noqa: S704
        sections=[_marked(section) for section in sections],
        explorer=explorer and _Raw(explorer),
        style=Markup(variables(stages) + _file("page.css") + (explorer.style if explorer else "")),  # noqa: S704
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        policy=Markup(_POLICY.format(scripts=" ".join(f"'sha256-{one}'" for one in hashes))),  # noqa: S704
        version=__version__,
    )
    return Report(title, str(page), tuple(section.title for section in sections))


def _is_wide(html: str) -> bool:
    """Whether a part needs the width of the page: a figure, a table of many columns, or what would be a very long column."""
    head, _, _ = html.partition("</tr>")
    return "<figure" in html or len(html) > _NARROW or ("<tr>" in head and head.count("<th") > _MANY)


def _marked(section: Section) -> dict[str, Any]:
    parts = [
        {
            "heading": part.heading,
            "html": Markup(part.html),  # noqa: S704
            "wide": len(section.parts) == 1 or _is_wide(part.html),
        }
        for part in section.parts
    ]
    return {"id": section.id, "title": section.title, "parts": parts}


class _Raw:
    """A fragment's pieces, to be put in as they are."""

    def __init__(self, fragment: Fragment) -> None:
        self.html, self.blobs = Markup(fragment.html), Markup(fragment.blobs)  # noqa: S704
