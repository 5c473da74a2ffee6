"""XML that nobody has to trust: no entities, nothing fetched."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from eegflex.errors import HypnogramError
from eegflex.readers.text import decode_text, is_text

__all__ = ["child_text", "read_xml", "root_name"]

_TAG = re.compile(r"<([A-Za-z_][\w.-]*)")


def root_name(head: bytes) -> str:
    """Return the name of the first element, "" where a file does not begin like XML."""
    text = decode_text(head).lstrip("\ufeff \t\r\n") if is_text(head) else ""
    if not text.startswith("<"):
        return ""
    match = _TAG.search(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL))
    return "" if match is None else match[1]


def read_xml(path: Path) -> Element:
    """Parse an XML file.

    Raises
    ------
    HypnogramError
        If it is not well-formed, or declares entities or refers to other files.
    """
    try:
        root: Element = fromstring(path.read_bytes())
    except DefusedXmlException as error:
        raise HypnogramError(
            f"{path.name!r} declares entities or refers to other files, which a hypnogram does not need",
            seen=type(error).__name__,
            remedy="Do not trust this file; export the hypnogram again",
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise HypnogramError(
            f"{path.name!r} is not well-formed XML", seen=error, remedy="Export the hypnogram again"
        ) from error
    return root


def child_text(element: Element, name: str) -> str:
    """Return the text of an element's child, "" where it is missing or empty."""
    return (element.findtext(name) or "").strip()
