"""Texts in folders: one class a folder, and no link leads out of it."""

import pytest

from motsim.realdata import (
    load_texts,
)
from tests.realdata.refused import refusal


@pytest.fixture
def news(tmp_path):
    for name, words in (("sci.space", "orbit moon"), ("alt.atheism", "belief über")):
        (tmp_path / name).mkdir()
        for k in range(3):
            (tmp_path / name / str(k)).write_text(f"{words} {k}", encoding="utf-8")
    return tmp_path


def test_texts_are_sorted_by_class_and_file(news):
    (news / "sci.space" / "latin").write_bytes("caf\xe9".encode("latin-1"))
    (news / "sci.space" / ".hidden").write_bytes(b"\0")
    (news / "sci.space" / "empty").write_text(" \n")
    found = load_texts(news)
    assert found.names == ("alt.atheism", "sci.space")
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert found.documents[0] == "belief über 0"
    assert found.documents[-1] == "café"


def test_wrong_text_folders_are_named(news):
    assert "nowhere: No such file" in refusal(lambda: load_texts(news / "nowhere"))
    assert "two or more folders" in refusal(lambda: load_texts(news / "sci.space"))
    (news / "sci.space" / "1").write_bytes(b"PNG\0\1")
    assert "sci.space/1: not a text" in refusal(lambda: load_texts(news))
    for file in (news / "sci.space").iterdir():
        file.unlink()
    assert "sci.space: holds no document" in refusal(lambda: load_texts(news))


def test_links_that_lead_out_of_a_corpus_are_refused(news, tmp_path_factory):
    (news / "sci.space" / "again").symlink_to(news / "sci.space" / "0")
    assert len(load_texts(news).documents) == 7  # control: within it they may
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret").write_text("not of the corpus")
    link = news / "sci.space" / "more"
    link.symlink_to(outside / "secret")
    assert "sci.space/more: a link that leads out of" in refusal(lambda: load_texts(news))
    link.unlink()
    (news / "third").symlink_to(outside)
    assert "third: a link that leads out of" in refusal(lambda: load_texts(news))
