"""Keys of servers: where they come from, and which host each may be sent to.

A key comes from the environment or from a `.env` in the current folder, is never written anywhere, and goes only to the
host that it belongs to: a vendor's own, or one that the user allowed. A study from a stranger can name a key and an
address; it cannot bring the two together.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cbtrun.errors import ModelError
from cbtrun.keys.addresses import expand_address, host_of, is_loopback, server_of
from cbtrun.keys.hiding import HIDDEN, hide, remember
from cbtrun.keys.proxies import proxy_for

VENDORS: Mapping[str, tuple[str, ...]] = {
    "api.anthropic.com": ("ANTHROPIC_API_KEY",),
    "api.cerebras.ai": ("CEREBRAS_API_KEY",),
    "api.deepinfra.com": ("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
    "api.deepseek.com": ("DEEPSEEK_API_KEY",),
    "api.fireworks.ai": ("FIREWORKS_API_KEY",),
    "api.groq.com": ("GROQ_API_KEY",),
    "api.mistral.ai": ("MISTRAL_API_KEY",),
    "api.openai.com": ("OPENAI_API_KEY",),
    "api.together.ai": ("TOGETHER_API_KEY",),
    "api.together.xyz": ("TOGETHER_API_KEY",),
    "api.x.ai": ("XAI_API_KEY",),
    "generativelanguage.googleapis.com": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "inference-api.nousresearch.com": ("NOUS_API_KEY",),
    "openrouter.ai": ("OPENROUTER_API_KEY",),
    "router.huggingface.co": ("HF_TOKEN",),
}
"""Host -> the names of variables whose key belongs to it."""
CONFIG = "~/.config/cbtrun/hosts.yaml"
KEY_NAMES = frozenset(name for names in VENDORS.values() for name in names)
KEY_ENDINGS = ("_API_KEY", "_TOKEN", "_SECRET", "_ACCESS_KEY", "_PASSWORD")
HUB_KEYS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""What a process needs that fetches weights which stand behind a licence."""


@dataclass(frozen=True)
class Secret:
    """A key that does not show itself: not when printed, not in a traceback."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The key itself, for the request's header and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__


@dataclass(frozen=True)
class KeyRing:
    """The user's keys, and the hosts that the user allowed."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    dotenv: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed: tuple[tuple[str | None, str], ...] = ()
    """(name of the key's variable or none for any, host or scheme://host:port)."""

    def address(self, written: str) -> str:
        """The address that a study wrote, variables filled in. Raises ModelError."""
        return expand_address(written, self.environ)

    def key(self, name: str | None, url: str) -> Secret | None:
        """The key in variable `name` for an address; none when no name is given. Raises ModelError, never showing it."""
        if name is None:
            return None
        self.check_host(name, url)
        value = (self.environ.get(name) or self.dotenv.get(name) or "").strip()
        if not value:
            raise ModelError(
                f"no key: set {name} in the environment or in a .env file here (or answer from the journal: --offline)"
            )
        if not value.isascii() or not value.isprintable():
            raise ModelError(f"the key in {name} has characters that no header can carry")
        remember(value)
        return Secret(value)

    def proxy(self, name: str | None, url: str) -> str | None:
        """The proxy on the way to an address, for a request that carries the key in `name`. Raises ModelError."""
        allowed = tuple(host for owner, host in self.allowed if owner in (None, name))
        return proxy_for(url, self.environ, name, allowed)

    def check_host(self, name: str, url: str) -> None:
        """Raises ModelError when the key in `name` may not be sent to an address."""
        host, server = host_of(url), server_of(url)
        explicit = any(owner in (None, name) and allowed in (host, server) for owner, allowed in self.allowed)
        by_server = any(owner in (None, name) and allowed == server for owner, allowed in self.allowed)
        if not explicit and name not in VENDORS.get(host, ()):
            belongs = [vendor for vendor, names in VENDORS.items() if name in names]
            whose = f"belongs to {' or '.join(belongs)}" if belongs else "belongs to no vendor that is known here"
            raise ModelError(
                f"the key in {name} is not sent to {host}: it {whose}. If that host may have it: "
                f"--allow-host {name}={host}, or a line `{name}: [{host}]` in {CONFIG}"
            )
        if url.startswith("http://") and not is_loopback(url) and not by_server:
            raise ModelError(
                f"the key in {name} would travel to {host} unencrypted; use https, or --allow-host {name}={server}"
            )


def key_ring(allow_hosts: Sequence[str] = (), *, dotenv: Path | None = None, config: Path | None = None) -> KeyRing:
    """The keys of the environment and of a `.env` (the current folder's), with the hosts that the user allowed.

    allow_hosts: `HOST`, `NAME=HOST` or `NAME=scheme://host:port`. config: YAML of NAME -> hosts. Raises ModelError.
    """
    config = Path(CONFIG).expanduser() if config is None else config
    allowed = [_allowance(text) for text in allow_hosts] + _configured(config)
    # A copy: processes may be started meanwhile for which the keys are taken out of the environment.
    return KeyRing(dict(os.environ), read_dotenv(dotenv or Path(".env")), tuple(allowed))


def environment_without_keys(keep: Collection[str] = ()) -> dict[str, str]:
    """The environment for a process that asks no server: this one's, less what holds a key by its name or its value.

    keep: names that stay all the same, such as HUB_KEYS where weights are to be fetched.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name in keep or not (_names_key(name) or hide(value) != value)
    }


def _names_key(name: str) -> bool:
    return name in KEY_NAMES or name.upper().endswith(KEY_ENDINGS)


def read_dotenv(path: Path) -> dict[str, str]:
    """`NAME=value` lines of a file, `export` and quotes taken off; empty when there is none."""
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ModelError(f"{path}: is not UTF-8 text; expected lines like `NAME=value`") from None
    found = {}
    for line in lines:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.partition(" #")[0].strip()


def _allowance(text: str) -> tuple[str | None, str]:
    name, equals, host = text.partition("=")
    host = (host if equals else name).strip().rstrip("/").lower()
    if not host or " " in host:
        raise ModelError(f"--allow-host {text}: expected HOST, NAME=HOST or NAME=http://HOST:PORT")
    return (name.strip() if equals else None), host


def _configured(path: Path) -> list[tuple[str | None, str]]:
    if not path.is_file():
        return []
    import yaml

    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return [(str(name), str(host).rstrip("/").lower()) for name, hosts in listed.items() for host in _hosts(hosts)]
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, RecursionError):  # ValueError: no UTF-8
        raise ModelError(f"{path}: expected lines like `DEEPSEEK_API_KEY: [my-proxy.example.org]`") from None


def _hosts(hosts: object) -> list[object]:
    if isinstance(hosts, str):
        return [hosts]
    return list(hosts)  # type: ignore[call-overload, no-any-return]  # a TypeError says that it is no list
