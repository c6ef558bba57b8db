"""Send a file, or the range of it that is asked for, in constant memory (RFC 9110, section 14)."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from training.archives import CHUNK, Archive

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def begins(request: HttpRequest) -> bool:
    """Tell whether a request is the first of a download, not one that goes on."""
    asked = request.headers.get("Range", "")
    return request.method == "GET" and (not asked or asked.replace(" ", "").startswith("bytes=0-"))


def send(request: HttpRequest, archive: Archive) -> HttpResponseBase:
    """Answer with the file, with one range of it (206), or 416 where the range lies behind its end."""
    tag = f'"{archive.sha256}"'
    if request.headers.get("If-None-Match") == tag:
        response: HttpResponseBase = HttpResponse(status=304)
    else:
        begin, end = _asked(request, archive, tag)
        if begin >= archive.bytes:
            response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{archive.bytes}"})
        else:
            whole = (begin, end) == (0, archive.bytes) and "Range" not in request.headers
            # opened now: it may be thrown away while it is sent
            response = StreamingHttpResponse(
                _read(archive.path, begin, end), status=200 if whole else 206, content_type="application/zip"
            )
            response["Content-Length"] = str(end - begin)
            if not whole:
                response["Content-Range"] = f"bytes {begin}-{end - 1}/{archive.bytes}"
            response["Content-Disposition"] = f'attachment; filename="{archive.name}"'
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = tag
    return response


def _asked(request: HttpRequest, archive: Archive, tag: str) -> tuple[int, int]:
    """Return the asked range, begin ≤ place < end; the whole file where none is, or its file is another."""
    whole = (0, archive.bytes)
    found = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if found is None or request.headers.get("If-Range", tag) != tag or found.groups() == ("", ""):
        return whole
    first, last = found.groups()
    if not first:
        return max(0, archive.bytes - int(last)) if int(last) else archive.bytes, archive.bytes
    if last and int(last) < int(first):
        return whole
    return int(first), min(archive.bytes, int(last) + 1) if last else archive.bytes


def _read(path: Path, begin: int, end: int) -> Iterator[bytes]:
    file = path.open("rb")

    def chunks() -> Iterator[bytes]:
        with file:
            file.seek(begin)
            left = end - begin
            while left and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk

    return chunks()
