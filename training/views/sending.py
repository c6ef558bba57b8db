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
        asked = _asked(request, archive, tag)
        begin, end = asked or (0, archive.bytes)
        if begin >= archive.bytes:
            response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{archive.bytes}"})
        else:
            # opened now: it may be thrown away while it is sent
            response = StreamingHttpResponse(
                _Part(archive.path, begin, end), status=206 if asked else 200, content_type="application/zip"
            )
            response["Content-Length"] = str(end - begin)
            if asked:
                response["Content-Range"] = f"bytes {begin}-{end - 1}/{archive.bytes}"
            response["Content-Disposition"] = f'attachment; filename="{archive.name}"'
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = tag
    return response


def _asked(request: HttpRequest, archive: Archive, tag: str) -> tuple[int, int] | None:
    """Return the asked range, begin ≤ place < end; None where the whole is asked, or of another file."""
    found = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if found is None or request.headers.get("If-Range", tag) != tag or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        return max(0, archive.bytes - int(last)) if int(last) else archive.bytes, archive.bytes
    if last and int(last) < int(first):
        return None
    return int(first), min(archive.bytes, int(last) + 1) if last else archive.bytes


class _Part:
    """The bytes of a file from `begin` to `end`, piece by piece; Django closes it, read or not."""

    def __init__(self, path: Path, begin: int, end: int) -> None:
        self._file = path.open("rb")
        self._file.seek(begin)
        self._left = end - begin

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (chunk := self._file.read(min(CHUNK, self._left))):
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
