"""Safe reading of files from outside: a limit on their size, no document type in XML, one kind of error."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.text_encodings import decode_text

MAX_BYTES = 64 * 1024 * 1024
"""Larger files are refused; an hour of dense coding is about one megabyte."""
MAX_TAGS = 2_000_000
"""XML with more tags is refused: a tag takes far more memory than bytes in the file. An interval has about ten."""

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Args:
        path: the file.

    Returns:
        Its bytes.

    Raises:
        InputDataError: if it cannot be read or is larger than :data:`MAX_BYTES`.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise import_error(path, expected=f"at most {MAX_BYTES} bytes", found=f"{size} bytes")
        return path.read_bytes()
    except OSError as error:
        raise import_error(path, expected="a file that can be read", found=error.strerror or str(error)) from error


def read_text(path: Path) -> str:
    """Read a text file: UTF-8, or UTF-16 (Praat writes it), else Windows-1252 or Latin-1.

    Args:
        path: the file.

    Returns:
        Its text.

    Raises:
        InputDataError: as :func:`read_bytes`.
    """
    return decode_text(read_bytes(path))


def read_json(path: Path) -> dict[str, Any] | list[Any]:
    """Read a JSON object or a list.

    Args:
        path: the file.

    Returns:
        The plain JSON document.

    Raises:
        InputDataError: if the file holds something else.
    """
    content = _decoded(path, read_bytes(path))
    if not isinstance(content, dict | list):
        raise import_error(path, expected="a JSON object or list", found=type(content).__name__)
    return content


def parse_json(path: Path, data: bytes) -> dict[str, Any]:
    """The JSON object in ``data``.

    Args:
        path: the file it comes from, for messages.
        data: the file's bytes.

    Returns:
        The object, a plain JSON document.

    Raises:
        InputDataError: if the bytes hold something else.
    """
    content = _decoded(path, data)
    if not isinstance(content, dict):
        raise import_error(path, expected="a JSON object", found=type(content).__name__)
    return content


def _decoded(path: Path, data: bytes) -> Any:
    try:
        return json.loads(decode_text(data))
    except (ValueError, RecursionError) as error:
        raise import_error(path, expected="JSON", found=str(error)) from error


def read_xml(path: Path) -> Element:
    """Read an XML file without document type, entities or references to other files.

    Args:
        path: the file.

    Returns:
        The root element.

    Raises:
        InputDataError: if it is no such file.
    """
    data = read_bytes(path)
    tags = data.count(b"<")
    if tags > MAX_TAGS:
        raise import_error(path, expected=f"at most {MAX_TAGS} tags", found=f"{tags} of them")
    try:
        root: Element = fromstring(data, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise import_error(path, expected="XML without document type and entities", found=str(error)) from error
    except (ParseError, ValueError, LookupError) as error:
        raise import_error(path, expected="XML", found=str(error)) from error
    return root


def xml_text(text: str) -> str:
    """``text`` without the control characters that XML has no way to hold; ends of lines become line feeds."""
    return _NOT_XML.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def import_error(path: Path, *, expected: str, found: str, fix: str | None = None) -> InputDataError:
    """The error for a file that cannot be used."""
    return InputDataError("The file cannot be imported.", expected=expected, found=found, where=str(path), fix=fix)
