"""The file of what was asked for: what is read is what was written, up to any damage."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.history.asked import SUFFIX, Asked, AskedWriter, read_asked

texts = st.text(max_size=20)
records = st.builds(
    Asked,
    service=texts,
    method=st.sampled_from(["POST", "PUT", "DELETE"]),
    path=texts,
    word=texts,
    name=texts,
    refers=st.dictionaries(texts, texts, max_size=2),
    identity=texts,
    sent_ns=st.integers(-(2**40), 2**40),
    answered_ns=st.integers(-(2**40), 2**40),
    status=st.integers(0, 599),
    outcome=texts,
    resent=st.booleans(),
)


def write(folder: Path, asked: list[Asked], *, complete: bool = True, name: str = "worker-0") -> Path:
    file = (folder / name).with_suffix(SUFFIX)
    file.unlink(missing_ok=True)
    writer = AskedWriter(file, "5f0c21aa")
    for number, one in enumerate(asked):
        writer.add(one)
        if number % 2:
            writer.flush()
    writer.close(complete=complete)
    return file


def one(at_ns: int) -> Asked:
    return Asked("compute", "DELETE", f"/servers/{at_ns}", "", "", {}, "", at_ns, at_ns, 204, "ok")


@given(st.lists(records, max_size=5))
def test_what_is_read_is_what_was_written(tmp_path_factory: pytest.TempPathFactory, asked: list[Asked]) -> None:
    folder = tmp_path_factory.mktemp("asked")
    write(folder, asked)
    found = read_asked(folder)
    assert found is not None
    assert found.complete
    assert list(found.asked) == sorted(asked, key=lambda each: each.answered_ns)


@given(st.data())
def test_a_file_that_was_cut_anywhere_is_read_up_to_there_and_is_not_complete(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("asked")
    asked = [one(number) for number in range(6)]
    file = write(folder, asked)
    whole = file.read_bytes()
    file.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    found = read_asked(folder)
    assert found is not None
    assert not found.complete
    assert list(found.asked) == asked[: len(found.asked)]


def test_files_of_several_workers_are_put_in_the_order_of_the_answers(tmp_path: Path) -> None:
    write(tmp_path, [one(1), one(4)], name="worker-0")
    write(tmp_path, [one(2), one(3)], name="worker-1", complete=False)
    found = read_asked(tmp_path)
    assert found is not None
    assert [each.answered_ns for each in found.asked] == [1, 2, 3, 4]
    assert not found.complete


def test_a_run_that_noted_nothing_has_no_file(tmp_path: Path) -> None:
    assert read_asked(tmp_path) is None


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path, [])
    with pytest.raises(InputError):
        AskedWriter(tmp_path / f"worker-0{SUFFIX}", "5f0c21aa")
