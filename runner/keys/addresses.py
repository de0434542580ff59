"""Addresses of servers: what may stand in one, and which server it leads to.

`${NAME}` is taken from the environment, but only from a variable whose name says that it holds an address: a stranger's
study must not be able to send `${AWS_SECRET_ACCESS_KEY}` anywhere as part of a host or a path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from cbtrun.errors import ModelError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WHOLE = ("URL", "BASE", "ENDPOINT", "ADDRESS")
"""Last words of names of variables that hold a whole address: they can only begin one, and end it or stand before a path."""
_PARTS = ("HOST", "PORT")
"""Last words of names of variables that hold the whole host or the whole port, and can stand nowhere else."""
_AUTHORITY = re.compile(r"(?P<host>\$\{\w+\}|\[[^\]/]*\]|[^:/\[\]]*)(:(?P<port>[^/]*))?")
_VALUES = {"HOST": re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]"), "PORT": re.compile(r"[0-9]{1,5}")}
_OF_ONE_CALL = re.compile(
    r"(?i)(?:/v1(?:beta)?)?(/(?:chat/completions|completions|responses|messages|embeddings|api/(?:chat|generate)|models(?:/[^/]*:\w+)?))/*\Z"
)
"""Ends of addresses as vendors' examples show them: of a call or a list, where the address before it is meant."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def expand_address(address: str, environ: Mapping[str, str]) -> str:
    """The address with its variables filled in, without a slash at its end. Raises ModelError saying what is wrong."""
    for found in _VARIABLE.finditer(address):
        _check_variable(found, address, environ)
    url = _VARIABLE.sub(lambda found: environ[found.group(1)].strip().rstrip("/"), address).rstrip("/")
    if fault := address_fault(url):
        raise ModelError(f"address '{address}': {fault}")
    return url


def address_fault(url: str) -> str | None:
    """Why an address cannot be called, or none. Names no part of it: it may hold what should not be shown."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "not a valid address"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"must begin with https:// (or http://) and a host{_with_scheme(url)}"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user name or password; name the key's variable in api_key_env"
    if parts.query or parts.fragment:
        return "must not hold a query ('?') or fragment ('#')"
    if re.search(r"[\s\\]|[^\x21-\x7e]", url) or port == 0:
        return "not a valid address"
    return _path_fault(url)


def written_fault(address: str) -> str | None:
    """Why an address as a study writes it cannot be called, or none; of one with variables what needs no environment."""
    if "${" not in address:
        return address_fault(address)
    faults = (_name_fault(one, address) for one in _VARIABLE.finditer(address))
    return next((one for one in faults if one), None) or _path_fault(address)


def _path_fault(url: str) -> str | None:
    end = _OF_ONE_CALL.search(url)
    if end is None:
        return None
    added = end[0 if end[1].lower() == "/messages" else 1].rstrip("/")  # Claude's SDK adds the /v1 too
    return f"ends with '{added}', which is added for each call: write the address without it"


def _with_scheme(url: str) -> str:
    """What was meant by `localhost:8000/v1`, where nothing but the scheme lacks and nothing in it need be hidden."""
    if "://" in url or not re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._/-]*)?", url):
        return ""
    host = re.split("[:/]", url, maxsplit=1)[0]
    return f"; did you mean '{'http' if host in LOOPBACK else 'https'}://{url}'?"


def server_of(url: str) -> str:
    """Scheme, host and port: what calls share their limits by."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{_bracketed(parts.hostname or '')}{port}"


def host_of(url: str) -> str:
    """The host, in lower case and without port."""
    return (urlsplit(url).hostname or "").lower()


def is_loopback(url: str) -> bool:
    """Whether an address stays on this machine."""
    return host_of(url) in LOOPBACK


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _check_variable(variable: re.Match[str], address: str, environ: Mapping[str, str]) -> None:
    """Raises ModelError for a variable that may not stand there, or that holds nothing that may."""
    name, place = variable.group(1), f"address '{address}'"
    if fault := _name_fault(variable, address):
        raise ModelError(f"{place} {fault}")
    kind = _kind(name)
    value = environ.get(name, "").strip()
    if not value:
        raise ModelError(f"{place}: the environment variable {name} is not set")
    if kind in _PARTS and not _VALUES[kind].fullmatch(value):
        raise ModelError(f"{place}: the environment variable {name} holds no {kind.lower()}")


def _name_fault(variable: re.Match[str], address: str) -> str | None:
    """Why a variable may not stand where it does: its value could be carried off as a path or a name."""
    name = variable.group(1)
    kind = _kind(name)
    if kind not in (*_WHOLE, *_PARTS):
        return f"holds ${{{name}}}, which may not stand in an address; the last word of its name must be one of {', '.join((*_WHOLE, *_PARTS))}"
    if kind in _WHOLE and (variable.start() > 0 or address[variable.end() : variable.end() + 1] not in ("", "/")):
        return f"holds ${{{name}}}, which is a whole address and can only begin one, with a path after it"
    if kind in _PARTS and variable.group(0) != _part(address, kind):
        return f"holds ${{{name}}}, which can only be the whole {kind.lower()} of an address"
    return None


def _kind(name: str) -> str:
    return name.upper().rpartition("_")[2]


def _part(address: str, kind: str) -> str | None:
    """What stands as the host or the port of an address whose variables are not filled in."""
    _, _, rest = address.partition("://")
    found = _AUTHORITY.fullmatch(rest.partition("/")[0])
    return found[kind.lower()] if found else None
