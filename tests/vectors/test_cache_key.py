"""What makes compiled kernels stale: a kernel's source, and nothing that kernels do not import."""

import shutil

from motsim.vectors import compiling
from motsim.vectors.compiling import PACKAGE, SOURCES


def test_a_changed_claim_finds_the_compiled_kernels_and_a_changed_kernel_does_not(
    tmp_path, monkeypatch
):
    for source in (path for pattern in SOURCES for path in PACKAGE.glob(pattern)):
        copy = tmp_path / source.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    claim = tmp_path / "claims" / "rates.py"
    claim.parent.mkdir()
    monkeypatch.setattr(compiling, "PACKAGE", tmp_path)
    folders = []
    for changed in (None, claim, tmp_path / "mixture" / "kernels" / "fused.py"):
        if changed:
            with changed.open("a") as file:
                file.write("# changed\n")
        folders.append(compiling.cache_folder.__wrapped__())
    assert folders[0] == folders[1] != folders[2]
