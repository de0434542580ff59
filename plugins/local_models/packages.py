"""What the extra `local` brings; without it nothing here is imported."""

PACKAGES = ("torch", "transformers", "accelerate", "peft", "safetensors")
"""By the names that Python imports."""


def built_with(device: str, *packages: str) -> str:
    """Versions of packages and the device that compute a reply: what a local model is served by, and what may change when
    a study goes on after an update or on another machine.
    """
    from importlib.metadata import PackageNotFoundError, version

    told = []
    for name in packages:
        try:
            told.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join([*told, device])
