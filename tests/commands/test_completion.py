"""What a shell completes."""

import shutil
import subprocess

import pytest

from motsim.__main__ import main


def completed(script, *words):
    """What bash offers after these words."""
    line = " ".join(f"'{word}'" for word in words)
    asked = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _motsim; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_values_and_names(capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert completed(script, "motsim", "swe") == ["sweep"]
    assert completed(script, "motsim", "sweep", "--tie") == ["--tier"]
    assert completed(script, "motsim", "sweep", "--tier", "f") == ["full"]
    assert completed(script, "motsim", "verify", "cover") == ["coverage"]
    assert completed(script, "motsim", "table", "--la") == ["--latex"]
    assert completed(script, "motsim", "sweep", "--out", "x") == []  # a file
    assert completed(script, "motsim", "new", "zz") == []
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out == "autoload -U +X bashcompinit && bashcompinit\n" + script
