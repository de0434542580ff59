"""The one way to a server: for every vendor's plugin, with its own SDK or without, and for `cbtrun doctor --online`.

A request goes to the address that the study names and nowhere else: no redirect is followed, no cookie kept, no
password file (~/.netrc) read, nothing tried again (the runner does that), no more of an answer read than allowed.
Proxies are the environment's, under the rule of proxies.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cbtrun.calls.broken_answers import broken_words
from cbtrun.errors import AccessRefused, NotSent, ServerFault
from cbtrun.keys.addresses import server_of
from cbtrun.keys.hiding import hide

if TYPE_CHECKING:
    import aiohttp

MIB = 2**20


@dataclass(frozen=True)
class Answer:
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, whatever alphabet its headers claim."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Patience:
    """How long and how much of an answer is waited for."""

    whole_seconds: float = 300.0
    """From connecting to the last byte."""
    connect_seconds: float = 15.0
    most_mib: float = 8.0


@dataclass
class Transport:
    """Connections to one server. Open until `close`."""

    url: str
    """Any address of the server."""
    key_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What proves who asks: sent with every request, known to nobody else."""
    patience: Patience = Patience()
    proxy: str | None = None
    """As `proxy_for` gives it."""
    connections: int = 64
    _session: aiohttp.ClientSession | None = None

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """The answer to one request, a redirect or an error as it is.

        Raises ServerFault when there is no whole answer, AccessRefused for an address of another server, a certificate
        that is not trusted, or a proxy that does not let us through.
        """
        import aiohttp
        from aiohttp.http_exceptions import HttpProcessingError
        from yarl import URL

        if server_of(url) != server_of(self.url):
            raise AccessRefused(f"{server_of(url)} was to be asked instead of {server_of(self.url)}; nothing was sent")
        sent = {**headers, **self.key_headers}
        try:
            async with self._opened().request(
                method, URL(url, encoded=True), data=body, headers=sent, allow_redirects=False, proxy=self.proxy
            ) as response:
                if not 200 <= response.status <= 599:
                    response.close()
                    raise ServerFault(f"its answer has the status {response.status}, which is none of HTTP's")
                return Answer(response.status, response.headers, await self._read(response))
        except TimeoutError:
            raise ServerFault(f"no whole answer within {self.patience.whole_seconds:g} s") from None
        except aiohttp.ClientSSLError as error:
            raise AccessRefused(f"no trusted connection: {hide(str(error))}. Nothing was sent") from None
        except aiohttp.ClientHttpProxyError as error:
            raise _refused_by_proxy(server_of(self.proxy or ""), error.status) from None
        except aiohttp.ClientConnectorError as error:
            raise NotSent(f"connection failed: {broken_words(error)}") from None
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            raise ServerFault(f"connection failed: {broken_words(error)}") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        parts, size = [], 0
        async for part in response.content.iter_any():  # unpacked bytes: a small answer may unpack to a huge one
            parts.append(part)
            size += len(part)
            if size > self.patience.most_mib * MIB:
                response.close()
                raise ServerFault(f"the answer is longer than max_reply_mib ({self.patience.most_mib:g} MiB)")
        return b"".join(parts)

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.connections),
                timeout=aiohttp.ClientTimeout(
                    total=self.patience.whole_seconds, sock_connect=self.patience.connect_seconds
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,  # it would read ~/.netrc too, and send what stands there
            )
        return self._session


def _refused_by_proxy(proxy: str, status: int) -> Exception:
    if status >= 500:
        return ServerFault(f"the proxy {proxy} does not get through ({status})")
    return AccessRefused(f"the proxy {proxy} does not let us through ({status}); check https_proxy, or set NO_PROXY")
