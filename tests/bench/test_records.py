from __future__ import annotations

import msgspec
import pytest

from presscheck.bench import records
from presscheck.errors import BadInput
from tests.bench.test_verdict import record


def test_a_record_comes_back_as_it_was(tmp_path):
    one = record([1, 2, 3, 4, 5], [2, 3, 4, 5, 6])
    assert records.load(records.append(one, tmp_path)) == one


def test_a_record_is_never_written_again(tmp_path):
    path = records.append(record([1], [1]), tmp_path)
    before = path.read_bytes()
    with pytest.raises(BadInput, match="never written again"):
        records.append(record([2], [2]), tmp_path, path.name)
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_record_cut_short_is_named_and_the_others_are_read(tmp_path, share):
    whole = records.append(record([1], [1]), tmp_path)
    cut = whole.with_name("20250101T000000Z-full-abcdef.json")
    cut.write_bytes(whole.read_bytes()[: int(share * len(whole.read_bytes()))])
    found, wrong = records.all_of("s", tmp_path)
    assert [path for path, _ in found] == [whole]
    assert len(wrong) == 1 and str(cut) in wrong[0]


def test_a_record_of_an_older_schema_is_upgraded(tmp_path, monkeypatch):
    path = records.append(record([1], [1]), tmp_path)
    raw = msgspec.json.decode(path.read_bytes())
    raw["schema"], raw["duration"] = 0, raw.pop("seconds")
    path.write_bytes(msgspec.json.encode(raw))
    with pytest.raises(BadInput, match="schema is 0"):
        records.load(path)

    def upgrade(old):
        return {**{k: v for k, v in old.items() if k != "duration"}, "schema": 1, "seconds": old["duration"]}

    monkeypatch.setitem(records.UPGRADES, 0, upgrade)
    assert records.load(path).seconds == 1.0


def test_a_record_of_a_newer_presscheck_says_so(tmp_path):
    path = records.append(record([1], [1]), tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"schema": 1', b'"schema": 9'))
    with pytest.raises(BadInput, match="schema is 9"):
        records.load(path)


def test_only_a_run_of_the_same_code_is_resumed(tmp_path):
    one = msgspec.structs.replace(record([1, 2], [1, 2]), code={"claims": "a", "folder": "b"})
    records.keep_partial(one, tmp_path, "20260101T000000Z-full-aaaaaa.json")
    assert records.newest_partial(one, tmp_path)[0] == "20260101T000000Z-full-aaaaaa.json"
    for other in ({"claims": "x", "folder": "b"}, {"claims": "a", "folder": "x"}):
        assert records.newest_partial(msgspec.structs.replace(one, code=other), tmp_path) is None
    assert records.newest_partial(msgspec.structs.replace(one, params={"model": "x"}), tmp_path) is None
    assert records.all_of("s", tmp_path) == ([], [])
