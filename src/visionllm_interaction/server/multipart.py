"""Streaming request bodies within a size limit: multipart forms and bare files.

The form parser of the framework would first write the whole file to the system's temporary folder. An upload must never
lie outside the data folder, and must be cut off at the limit while it arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import python_multipart
from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from visionllm_interaction.server.problem_details import http_problem

MAX_FIELD_BYTES = 4096
MAX_FIELDS = 16
Sink = Callable[[bytes], Any]


class MultipartReader:
    """Parses a multipart body chunk by chunk: the part ``file`` goes to ``sink``, the others become ``fields``."""

    def __init__(self, boundary: bytes, sink: Sink) -> None:
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None
        self._sink = sink
        self._value = bytearray()
        self._header = (bytearray(), bytearray())
        self._headers: dict[bytes, bytes] = {}
        self._part = ""
        self._parser = python_multipart.MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._end,
            },
        )

    def write(self, chunk: bytes) -> None:
        """Parse the next chunk of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _malformed(str(error)) from error

    def close(self) -> None:
        """Finish the body."""
        try:
            self._parser.finalize()
        except FormParserError as error:
            raise _malformed(str(error)) from error

    def _begin(self) -> None:
        self._headers = {}
        self._value = bytearray()

    def _header_end(self) -> None:
        self._headers[bytes(self._header[0]).lower()] = bytes(self._header[1])
        self._header = (bytearray(), bytearray())

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._part = options.get(b"name", b"").decode("utf-8", "replace")
        if self._part == "file":
            if self.file_name is not None:
                raise _malformed("two parts named file")
            self.file_name = options.get(b"filename", b"").decode("utf-8", "replace")
        elif len(self.fields) >= MAX_FIELDS:
            raise _malformed("too many fields")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part == "file":
            self._sink(data[start:end])
            return
        self._value.extend(data[start:end])
        if len(self._value) > MAX_FIELD_BYTES:
            raise _malformed(f"field {self._part[:40]} is longer than {MAX_FIELD_BYTES} bytes")

    def _end(self) -> None:
        if self._part != "file":
            self.fields[self._part] = self._value.decode("utf-8", "replace")


@dataclass(frozen=True)
class ReceivedFile:
    """A file that was streamed to its sink: the name sent by the client, and the other fields of the form."""

    name: str
    fields: dict[str, str] = field(default_factory=dict)


async def receive_file(request: Request, sink: Sink, *, limit_bytes: int) -> ReceivedFile:
    """Stream the file in the body of a request to ``sink``.

    The body is ``multipart/form-data`` with a part ``file``, or the bare file. The query parameter ``name`` can name a
    bare file.

    Args:
        request: the request, whose body is unread.
        sink: takes the chunks of the file.
        limit_bytes: largest file.

    Returns:
        The name of the file and the other fields.

    Raises:
        HTTPException: 413 above the limit, 400 for a malformed form or no file.
    """
    _check_declared_size(request, limit_bytes)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        count = await _stream_body(request, sink, limit_bytes)
        if not count:
            raise _no_file()
        return ReceivedFile(request.query_params.get("name", ""))
    reader = MultipartReader(options.get(b"boundary", b""), sink)
    await _stream_body(request, reader.write, limit_bytes + MAX_FIELDS * MAX_FIELD_BYTES)
    reader.close()
    if reader.file_name is None:
        raise _no_file()
    return ReceivedFile(reader.file_name, reader.fields)


async def _stream_body(request: Request, sink: Sink, limit_bytes: int) -> int:
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
        if count > limit_bytes:
            raise too_large(limit_bytes)
        sink(chunk)
    return count


def _check_declared_size(request: Request, limit_bytes: int) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit_bytes + MAX_FIELDS * MAX_FIELD_BYTES:
        raise too_large(limit_bytes)


def too_large(limit_bytes: int) -> HTTPException:
    """The error for a body that exceeds the limit."""
    return http_problem(413, "The file is too large.", code="TOO-LARGE", expected=f"at most {limit_bytes / 1e6:g} MB")


def _malformed(found: str) -> HTTPException:
    return http_problem(
        400, "The form cannot be read.", code="FORM", expected="multipart/form-data with a part file", found=found
    )


def _no_file() -> HTTPException:
    return http_problem(
        400,
        "There is no file in the request.",
        code="NO-FILE",
        expected="multipart/form-data with a part named file",
        fix="with curl: -F file=@NAME",
    )


async def receive_fields(request: Request) -> dict[str, str]:
    """Read a small URL-encoded form.

    Args:
        request: the request, whose body is unread.

    Returns:
        The fields by name; the last value of a repeated field.

    Raises:
        HTTPException: 413 if the form is larger than a few kilobytes.
    """
    body = bytearray()
    await _stream_body(request, body.extend, MAX_FIELD_BYTES)
    return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS))
