"""Open an upload: gzip is recognised by its first bytes, text is UTF-8, every fault has its line."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_OTHERS = {b"PK\x03\x04": "a zip or Excel file", b"%PDF": "a PDF"}
HEAD_BYTES = 65_536


@dataclass(frozen=True)
class LineError:
    """Say what is wrong, in which field of which line (0: the file as a whole)."""

    line: int
    field: str
    message: str


class FileError(LineError):
    """The upload can't be read any further, so that nobody knows what its other lines hold."""


class SourceError(Exception):
    """The upload can't be read any further from this line on."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def container_of(source: BinaryIO) -> str:
    """Tell what an upload's rows lie in: csv, jsonl, json (one list of objects) or parquet."""
    source.seek(0)
    magic = source.read(len(_PARQUET))
    source.seek(0)
    if magic == _PARQUET:
        return "parquet"
    first = read_head(source).lstrip()[:1]
    return {"{": "jsonl", "[": "json"}.get(first, "csv")


def read_head(source: BinaryIO) -> str:
    """Return as much of an upload's beginning as can be read, and go back to its start."""
    source.seek(0)
    raw = source.read(HEAD_BYTES)
    source.seek(0)
    if raw.startswith(_GZIP):
        try:
            raw = zlib.decompressobj(wbits=31).decompress(raw, HEAD_BYTES)
        except zlib.error:
            raw = b""
    return raw.decode("utf-8-sig", errors="replace")


def read_lines(source: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield numbered lines with their ends, from 1; SourceError names the line that can't be read."""
    number = 0
    try:
        for number, raw in enumerate(iter(_binary(source).readline, b""), start=1):
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            yield number, line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(number, "the text is not UTF-8; save the file as UTF-8 and try again") from error
    except (EOFError, OSError, zlib.error) as error:
        message = "the gzip file is damaged or ends early (truncated) after this line"
        raise SourceError(number, message) from error


def read_chunks(source: BinaryIO) -> Iterator[str]:
    """Yield the text in pieces of some 64 KB, whatever its lines; SourceError where it can't be read."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for raw in iter(partial(_binary(source).read, HEAD_BYTES), b""):
            yield decoder.decode(raw)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise SourceError(0, "the text is not UTF-8; save the file as UTF-8 and try again") from error
    except (EOFError, OSError, zlib.error) as error:
        raise SourceError(0, "the gzip file is damaged or ends early (truncated)") from error


def _binary(source: BinaryIO) -> BinaryIO | gzip.GzipFile:
    source.seek(0)
    first = source.read(4)
    source.seek(0)
    for magic, name in _OTHERS.items():
        if first == magic:
            raise SourceError(1, f"this is {name}; export it as JSONL, CSV or Parquet first")
    if first[:2] == _GZIP:
        return gzip.GzipFile(fileobj=source)
    return source
