"""Which proxy of the environment a request goes through: one rule for every vendor and for the doctor.

`https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, in small letters or capitals. This machine itself is never asked
through one. For https a proxy only hands on what it cannot read. For plain http it would read the key: then it is a host
that the key goes to, refused unless the user allowed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from cbtrun.errors import ModelError
from cbtrun.keys.addresses import host_of, is_loopback, server_of
from cbtrun.keys.hiding import remember


def proxy_for(
    url: str, environ: Mapping[str, str], key: str | None = None, allowed: tuple[str, ...] = ()
) -> str | None:
    """The proxy on the way to an address, or none.

    key: name of the key that travels along, if any. allowed: scheme://host:port of those who may have it. Raises
    ModelError for a proxy that cannot be used or may not.
    """
    scheme = url.partition(":")[0]
    name, proxy = _named(f"{scheme}_proxy", environ)
    if not proxy:
        name, proxy = _named("all_proxy", environ)
    _, exempt = _named("no_proxy", environ)
    if not proxy or is_loopback(url) or _is_exempt(host_of(url), exempt):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    _check(proxy, name, url)
    if scheme == "http" and key and server_of(proxy) not in allowed:
        raise ModelError(
            f"the key in {key} would travel to {host_of(url)} unencrypted through the proxy {server_of(proxy)} ({name}), "
            f"which could read it; use https, put {host_of(url)} into NO_PROXY, or --allow-host {key}={server_of(proxy)}"
        )
    return proxy


def _named(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """(name, value) of a variable in small letters or capitals; the small ones win, as everywhere."""
    if environ.get(name, "").strip():
        return name, environ[name].strip()
    upper = name.upper()
    if upper == "HTTP_PROXY" and "REQUEST_METHOD" in environ:  # in a CGI script a visitor's header sets it
        return upper, ""
    return upper, environ.get(upper, "").strip()


def _is_exempt(host: str, listed: str) -> bool:
    """Whether NO_PROXY names a host: itself, a domain that it is in, a network, or `*`."""
    for entry in listed.lower().replace(",", " ").split():
        name = entry.removeprefix("*.").removeprefix(".")
        if entry == "*" or host == name or host.endswith(f".{name}") or _is_in_network(host, name):
            return True
    return False


def _is_in_network(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


def _check(proxy: str, name: str, url: str) -> None:
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ModelError(
            f"the proxy in {name} cannot be used: it must be http://HOST:PORT (or put {host_of(url)} into NO_PROXY)"
        )
    remember(parts.password or "")
