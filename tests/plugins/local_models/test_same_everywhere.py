"""The embedded model gives the same bits whatever instructions the CPU has beyond AVX2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cbtrun.plugins.local_models import same_everywhere
from cbtrun.plugins.local_models.same_everywhere import SETTINGS, settle_arithmetic

LOGITS = """
import hashlib
from cbtrun.plugins.local_models.model_files import find_model, load_base
files = find_model("cbtrun:tiny")
import torch
torch.set_num_threads(2)
model = load_base(files, "float32", "eager")
ids = torch.arange(4 * 96).reshape(4, 96) % 900
loss = model(input_ids=ids, labels=ids).loss
loss.backward()
moved = b"".join(one.grad.numpy().tobytes() for one in model.parameters() if one.grad is not None)
print(hashlib.sha256(moved + loss.detach().numpy().tobytes()).hexdigest())
"""
NARROW = {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.setenv(name, "")  # restored after the test, whatever is set meanwhile
        monkeypatch.delenv(name)


def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, flags: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n", encoding="utf-8")
    monkeypatch.setattr(same_everywhere, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(same_everywhere.platform, "machine", lambda: kind)


def test_a_machine_with_avx2_computes_by_fixed_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, tmp_path, "x86_64", "sse avx avx2 fma avx512f")
    settle_arithmetic()
    assert {name: os.environ[name] for name in SETTINGS} == SETTINGS


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, tmp_path, "x86_64", "avx2 fma")
    monkeypatch.setenv("MKL_CBWR", "AVX512")
    settle_arithmetic()
    assert (os.environ["MKL_CBWR"], os.environ["ATEN_CPU_CAPABILITY"]) == ("AVX512", "avx2")


@pytest.mark.parametrize(("kind", "flags"), [("x86_64", "sse avx fma"), ("aarch64", "neon avx2 fma"), ("x86_64", "")])
def test_no_kernel_is_forced_where_it_could_not_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, flags: str
) -> None:
    machine(monkeypatch, tmp_path, kind, flags)
    settle_arithmetic()
    assert not {*SETTINGS} & {*os.environ}


@pytest.mark.slow
def test_loss_and_gradients_have_the_same_bits_on_a_cpu_that_can_less() -> None:
    if not same_everywhere._has_avx2():
        pytest.skip("this machine has no AVX2")
    found = {
        subprocess.run(
            [sys.executable, "-c", LOGITS], env={**os.environ, **less}, capture_output=True, text=True, check=True
        ).stdout
        for less in ({}, NARROW)
    }
    assert len(found) == 1
