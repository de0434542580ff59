"""Answers that are no HTTP, or more of it than anybody needs: as broken proxies and hostile servers send them."""

from __future__ import annotations

from collections.abc import Mapping

_OK = b"HTTP/1.1 200 OK\r\n"
BROKEN_HTTP: Mapping[str, bytes] = {
    "header-flood": _OK
    + b"".join(b"X-%d: y\r\n" % number for number in range(20_000))
    + b"Content-Length: 2\r\n\r\n{}",
    "header-long": _OK + b"X: " + b"y" * 100_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "header-broken": _OK + b"no header at all\r\nContent-Length: 2\r\n\r\n{}",
    "status-garbage": b"\x00\xffGARBAGE\r\n\r\n",
    "status-none": b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\n{}",
    "length-negative": _OK + b"Content-Length: -5\r\n\r\n{}",
    "chunks-broken": _OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    "packed-garbage": _OK + b"Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\n\x1f\x8bjunk",
    "no-utf8": _OK + b'Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{"a": "\xff\xfe"}',
    "no-body": b"HTTP/1.1 204 No Content\r\n\r\n",
}
"""Kind of fault -> the whole answer."""
