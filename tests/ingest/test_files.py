from __future__ import annotations

import gzip
import json
import os
import tracemalloc
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.faults import FaultsFound
from monitor.ingest import files
from monitor.ingest.files import (
    LONGEST_LINE,
    MOST_LINES,
    REST,
    FileChanged,
    file_digest,
    move_to_done,
    open_rows,
    purge_done,
    waiting_files,
)
from monitor.ingest.mapping import compile_mapper, map_rows
from monitor.ingest.rejected import Reason, Rejected
from monitor.model import SECOND
from tests.ingest.sources import LOG, LOG_ROW, RECEIVED, SECRET, feed_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Read: TypeAlias = Callable[..., "Outcome"]

PLANTED = "Zebedee Quillfeather"
HEADER = "REF,ORG,ID,SENT\n"
GOOD = "PPN-2027-004211,EAST,71,2027-03-08\n"
COLUMNS = ("REF", "ORG", "ID", "SENT")


class Outcome:
    """A file read to its end."""

    def __init__(self, path: Path, changes: Mapping[str, Any]) -> None:
        with open_rows(path, feed_of(LOG, **changes)) as self.reader:
            rows = list(self.reader)
        self.rows = [row for row in rows if not isinstance(row, Rejected)]
        self.rejected = [row for row in rows if isinstance(row, Rejected)]

    @property
    def lines(self) -> list[int]:
        """Where the rows that were read begin."""
        return [line for line, _ in self.rows]

    @property
    def refusals(self) -> list[tuple[int, Reason]]:
        """Line and reason of each row set aside."""
        return [(row.line, row.reason) for row in self.rejected]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Outcome]:
    """Read a file with this content."""

    def reading(content: str | bytes, **changes: Any) -> Outcome:
        path = tmp_path / "drop.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return Outcome(path, changes)

    return reading


# --- CSV


def test_rows_are_the_declared_cells_in_the_order_of_the_feed(read: Read) -> None:
    """Whatever the order of the file's columns, and without the undeclared."""
    outcome = read(f"SENT,NAME,ID,REF,ORG\n2027-03-08,{PLANTED},71,PPN-2027-004211,EAST\n")
    assert outcome.rows == [(2, ("PPN-2027-004211", "EAST", "71", "2027-03-08"))]
    assert outcome.reader.feed.declared_columns == COLUMNS
    assert outcome.reader.dropped == {"NAME": 1}
    assert outcome.reader.rows_read == 1


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        ((HEADER + GOOD).encode("utf-8-sig"), {}),
        ((HEADER + GOOD).replace("\n", "\r\n").encode(), {}),
        ((HEADER + GOOD).replace("\n", "\r").encode(), {}),
        ((HEADER + GOOD).replace(",", ";").encode(), {"delimiter": ";"}),
        ((HEADER + GOOD).encode("utf-16"), {"encoding": "utf-16"}),
        (gzip.compress((HEADER + GOOD).encode()), {}),
        ((HEADER + GOOD.rstrip()).encode(), {}),
        (b" REF , ORG,ID,SENT \n" + GOOD.encode(), {}),
    ],
    ids=["bom", "crlf", "cr", "semicolon", "utf-16", "gzip", "no last newline", "spaced header"],
)
def test_files_are_read_however_they_are_written(
    read: Read, content: bytes, changes: dict[str, Any]
) -> None:
    assert read(content, **changes).rows == [(2, ("PPN-2027-004211", "EAST", "71", "2027-03-08"))]


def test_line_numbers_count_the_lines_inside_quotes(read: Read) -> None:
    long = 'PPN-2027-004211,"a\nb\nc",71,2027-03-08\n'
    outcome = read(HEADER + long + "\n" + GOOD + long + GOOD)
    assert outcome.lines == [2, 6, 7, 10]
    assert outcome.reader.blank_lines == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("one,two\n", Reason.WRONG_CELLS),
        ("a,b,c,d,e\n", Reason.WRONG_CELLS),
        ('"a" b,c,d,e\n', Reason.QUOTES),
        ("a,\0,c,d\n", Reason.NUL),
        ("a,b,c," + "d" * LONGEST_LINE + "\n", Reason.LINE_TOO_LONG),
        ("a" * (3 * LONGEST_LINE) + "\n", Reason.LINE_TOO_LONG),
        ("(2 rows affected)\n", Reason.WRONG_CELLS),
    ],
    ids=["few", "many", "quote", "nul", "long", "longer", "footer"],
)
def test_a_bad_line_is_set_aside_and_the_rest_goes_on(read: Read, bad: str, reason: Reason) -> None:
    outcome = read(HEADER + GOOD + bad + GOOD)
    assert outcome.lines == [2, 4]
    assert outcome.refusals == [(3, reason)]
    assert outcome.reader.rows_read == 3
    assert outcome.reader.rows_rejected == 1


def test_cells_of_a_row_that_cannot_be_told_apart_are_not_kept(read: Read) -> None:
    """A name may have slipped into any of them."""
    outcome = read(HEADER + f"{PLANTED},b,c\n" + f'"{PLANTED}" x,b,c,d\n')
    assert [row.declared for row in outcome.rejected] == [{}, {}]
    assert "Quillfeather" not in repr(outcome.rejected)


def test_a_quote_never_closed_costs_its_own_row_alone(read: Read) -> None:
    outcome = read(HEADER + GOOD + '"PPN,b,c,d\n' + GOOD * 1500)
    assert outcome.refusals == [(3, Reason.QUOTES)]
    assert outcome.lines == [2, *range(4, 1504)]


def test_two_stray_quotes_cost_two_rows(read: Read) -> None:
    outcome = read(HEADER + 'a,"b,c,d\n' + GOOD + 'a,"b,c,d\n' + GOOD)
    assert outcome.lines == [3, 5]
    assert [line for line, _ in outcome.refusals] == [2, 4]


@pytest.mark.parametrize("bad", ["\0\n", "x" * (LONGEST_LINE + 1) + "\n"], ids=["nul", "long"])
def test_a_bad_line_inside_quotes_takes_no_row_with_it(read: Read, bad: str) -> None:
    outcome = read(HEADER + 'a,"b\n' + GOOD + bad + GOOD)
    assert outcome.lines == [3, 5]
    assert sorted(line for line, _ in outcome.refusals) == [2, 4]


def test_a_row_may_have_many_lines_but_not_any_number(read: Read) -> None:
    assert read(HEADER + 'a,"' + "\n" * (MOST_LINES - 1) + '",c,d\n').lines == [2]
    assert read(HEADER + 'a,"' + "\n" * MOST_LINES + '",c,d\n').rows == []


def test_a_cell_in_another_encoding_spoils_only_itself(read: Read) -> None:
    """In a declared column its row is set aside when mapped; elsewhere it does not matter."""
    content = f"{HEADER.rstrip()},NAME\n{GOOD.rstrip()},Zo\xeb\n{GOOD.rstrip()},x\n"
    outcome = read(content.replace("EAST", "\xcbST", 1).encode("latin-1"))
    assert outcome.lines == [2, 3]
    mapper = compile_mapper(outcome.reader.feed, child_secret=SECRET)
    first, second = map_rows(outcome.rows, mapper, received_at=RECEIVED)
    assert [bad.reason for bad in first.rejected] == [Reason.UNFIT_CHARACTERS]
    json.dumps(first.rejected[0].declared, ensure_ascii=False).encode()
    assert second.events


def test_a_truncated_gzip_gives_what_it_holds_and_says_that_it_broke_off(read: Read) -> None:
    rows = "".join(f"PPN-2027-{number:06},EAST,{number},2027-03-08\n" for number in range(20_000))
    whole = gzip.compress((HEADER + rows).encode())
    outcome = read(whole[: len(whole) // 2])
    assert 1000 < len(outcome.rows) < 20_000
    assert outcome.refusals == [(outcome.lines[-1] + 1, Reason.CUT_OFF)]


def test_a_corrupt_gzip_says_that_it_broke_off(read: Read) -> None:
    whole = bytearray(gzip.compress((HEADER + GOOD * 10).encode()))
    whole[-8] ^= 0xFF  # its checksum
    outcome = read(bytes(whole))
    assert len(outcome.rows) == 10
    assert outcome.refusals == [(12, Reason.CUT_OFF)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"REF,ORG\n", "the header lacks 'ID', 'SENT', which the feed log reads"),
        (b"REF;ORG;ID;SENT\n", "is its delimiter ';' rather than ','?"),
        (b"ref,org,id,sent\n", "capital and small letters differ"),
        (b"REF,ORG,ID,SENT,REF\n", "the header has 'REF' more than once"),
        (b"\0\0\0\0\n", "the header cannot be read"),
        (b"\x1f\x8b\x08", "the header cannot be read"),
        (b"\x1f\x8bnonsense that is not gzip", "the header cannot be read"),
    ],
)
def test_a_file_of_which_nothing_can_be_read_is_one_fault(
    read: Read, content: bytes, said: str
) -> None:
    with pytest.raises(FaultsFound) as found:
        read(content)
    (fault,) = found.value.faults
    assert said in str(fault)


def test_a_missing_header_does_not_show_the_row_in_its_place(read: Read) -> None:
    with pytest.raises(FaultsFound) as found:
        read(f"{PLANTED},b,c,d\n")
    assert "Quillfeather" not in str(found.value)


# --- JSON Lines


def json_lines(*rows: Any) -> bytes:
    """Rows as JSON Lines; a text stands as it is."""
    return b"".join(
        (row if isinstance(row, str) else json.dumps(row)).encode() + b"\n" for row in rows
    )


def test_json_values_are_read_as_they_are_written(read: Read) -> None:
    line = '{"REF": 12345678901234567890, "ORG": 1.50, "ID": null, "NAME": "x"}'
    outcome = read(json_lines(line, {"ID": True}), format="jsonl")
    assert outcome.rows == [
        (1, ("12345678901234567890", "1.50", "", "")),
        (2, ("", "", "true", "")),
    ]
    assert outcome.reader.dropped == {"NAME": 1}
    assert outcome.reader.never_seen == {"SENT"}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{", Reason.NOT_JSON),
        ("[]", Reason.NOT_JSON),
        ('"text"', Reason.NOT_JSON),
        ('{"REF": "a", "REF": "b"}', Reason.NOT_JSON),
        ('{"REF": NaN}', Reason.NOT_JSON),
        ("[" * 100_000, Reason.NOT_JSON),
        ('{"REF": ["a"]}', Reason.NOT_PLAIN),
        ('{"REF": {"a": 1}}', Reason.NOT_PLAIN),
        ('{"REF": "\0"}', Reason.NUL),
        ('{"REF": "' + "x" * LONGEST_LINE + '"}', Reason.LINE_TOO_LONG),
    ],
    ids=[*"abcdefghij"],
)
def test_a_bad_json_line_is_set_aside_and_the_rest_goes_on(
    read: Read, bad: str, reason: Reason
) -> None:
    outcome = read(json_lines(LOG_ROW, bad, "", LOG_ROW), format="jsonl")
    assert outcome.lines == [1, 4]
    assert outcome.refusals == [(2, reason)]
    assert outcome.rejected[0].declared == {}
    assert outcome.reader.blank_lines == 1


def test_a_nested_value_in_an_undeclared_place_does_not_matter(read: Read) -> None:
    assert read(json_lines(LOG_ROW | {"X": [{"a": 1}]}), format="jsonl").lines == [1]


def test_undeclared_names_are_counted_in_bounded_memory(read: Read) -> None:
    rows = [{f"key{number}": 1, PLANTED: 1} for number in range(500)]
    dropped = read(json_lines(*rows), format="jsonl").reader.dropped
    assert len(dropped) == files.MOST_NAMES
    assert sum(dropped.values()) == 1000
    assert dropped["key0"] == 1
    assert PLANTED not in dropped, "a key with a space may be a person, not a column"
    assert dropped[REST] > 500


def test_an_empty_json_file_has_no_rows(read: Read) -> None:
    outcome = read(b"", format="jsonl")
    assert not outcome.rows
    assert not outcome.rejected


# --- reading on, and what changes meanwhile


@given(
    st.lists(st.sampled_from([GOOD, "x,y\n", 'a,"b\nc",d,e\n', 'a,"b,c,d\n', "\n", "\0\n"])),
    st.integers(0, 12),
)
def test_reading_on_gives_what_was_not_yet_read(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], skipped: int
) -> None:
    path = tmp_path_factory.mktemp("drop") / "drop.csv"
    path.write_text(HEADER + "".join(lines), newline="")
    with open_rows(path, feed_of(LOG)) as reader:
        whole = list(reader)
    with open_rows(path, feed_of(LOG)) as reader:
        reader.skip_rows(skipped)
        assert reader.rows_read == min(skipped, len(whole))
        assert list(reader) == whole[skipped:]
        assert reader.rows_read == len(whole)
        assert reader.rows_rejected == sum(isinstance(row, Rejected) for row in whole)


@given(st.lists(st.tuples(*[st.text(st.characters(exclude_characters="\0"), max_size=8)] * 4)))
def test_what_csv_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("drop") / "drop.csv"
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    path.write_bytes((HEADER + "\n".join(quoted)).encode("utf-8", "surrogatepass"))
    with open_rows(path, feed_of(LOG)) as reader:
        read = list(reader)
    sound = [row for row in rows if not any("\ud800" <= c <= "\udfff" for c in "".join(row))]
    cells = [row[1] for row in read if not isinstance(row, Rejected)]
    assert len(read) == len(rows)
    assert [row for row in cells if row in sound] == sound


def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "drop.csv.gz"
    rows = "".join(f"PPN-2027-{os.urandom(20).hex()},EAST,1,x\n" for _ in range(30_000))
    path.write_bytes(gzip.compress((HEADER + rows).encode()))
    with open_rows(path, feed_of(LOG)) as reader:
        seen = [reader.bytes_read for number, _ in enumerate(reader) if number % 5000 == 0]
        assert seen == sorted(seen)
        assert seen[0] < reader.size / 2 < seen[-1] <= reader.size == path.stat().st_size
    assert reader.bytes_read == reader.size


def test_reading_keeps_little_in_memory(tmp_path: Path) -> None:
    """A line of 30 MB and 5 MB of lines are both passed in a few megabytes."""
    path = tmp_path / "drop.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(HEADER.encode())
        file.write(b"x" * 30_000_000 + b"\n")
        file.write(GOOD.encode() * 150_000)
    tracemalloc.start()
    with open_rows(path, feed_of(LOG)) as reader:
        rows = sum(1 for _ in reader)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 1 + 150_000
    assert peak < 10_000_000


@pytest.mark.parametrize("change", ["append", "replace", "vanish"])
def test_a_file_that_changes_under_its_reader_is_not_done(tmp_path: Path, change: str) -> None:
    path = tmp_path / "drop.csv"
    path.write_text(HEADER + GOOD)
    with open_rows(path, feed_of(LOG)) as reader:
        next(iter(reader))
        if change == "append":
            path.write_text(HEADER + GOOD + GOOD)
        else:
            path.unlink()
        if change == "replace":
            path.write_text(HEADER + GOOD)
            os.utime(path, ns=(0, 0))
        with pytest.raises(FileChanged):
            list(reader)


def test_what_has_vanished_or_is_no_file_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(FileChanged, match="it has vanished"):
        open_rows(tmp_path / "gone.csv", feed_of(LOG))
    (tmp_path / "link.csv").symlink_to("/etc/hostname")
    with pytest.raises(FaultsFound, match="this is a link"):
        open_rows(tmp_path / "link.csv", feed_of(LOG))
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(FaultsFound, match="no regular file"):
        open_rows(tmp_path / "pipe.csv", feed_of(LOG))


# --- waiting and done


def test_waiting_files_have_their_final_names_and_come_oldest_first(tmp_path: Path) -> None:
    names = ["c.csv", "a.csv", "b.csv.gz", ".d.csv", "e.csv.tmp", "f.csv~", "g.csv.part", "h.txt"]
    for name in names:
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, ns=(5, 5))
    os.utime(tmp_path / "b.csv.gz", ns=(1, 1))
    (tmp_path / "i.csv").mkdir()
    (tmp_path / "j.csv").symlink_to(tmp_path / "a.csv")
    patterns = ["*.csv", "*.csv.gz", "*"]
    waiting = [path.name for path in waiting_files(tmp_path, patterns)]
    assert waiting == ["b.csv.gz", "a.csv", "c.csv", "h.txt"]
    assert [path.name for path in waiting_files(tmp_path, ["*.gz"])] == ["b.csv.gz"]


def test_a_drop_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(FaultsFound, match="the drop folder is not there"):
        waiting_files(tmp_path / "gone", ["*"])


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """A dropped file."""
    path = tmp_path / "drop" / "x.csv"
    path.parent.mkdir()
    path.write_text(HEADER + GOOD)
    path.chmod(0o644)
    return path


def test_a_done_file_is_moved_to_a_private_folder(drop: Path, tmp_path: Path) -> None:
    digest = file_digest(drop)
    done = move_to_done(drop, tmp_path / "done", digest)
    assert not drop.exists()
    assert done.read_text() == HEADER + GOOD
    assert done.name == f"{digest.hex()[:16]}-x.csv"
    assert done.stat().st_mode & 0o777 == 0o600
    assert done.parent.stat().st_mode & 0o777 == 0o700
    assert [*done.parent.iterdir()] == [done]


def test_a_done_folder_that_others_could_read_is_closed(drop: Path, tmp_path: Path) -> None:
    (tmp_path / "done").mkdir(mode=0o755)
    move_to_done(drop, tmp_path / "done", file_digest(drop))
    assert (tmp_path / "done").stat().st_mode & 0o777 == 0o700


def test_the_same_file_again_is_kept_once_and_nothing_is_overwritten(
    drop: Path, tmp_path: Path
) -> None:
    done = tmp_path / "done"
    digest = file_digest(drop)
    done.mkdir()
    other = done / f"{digest.hex()[:16]}-x.csv"
    other.write_text("another content under the same name")
    first = move_to_done(drop, done, digest)
    drop.write_text(HEADER + GOOD)
    assert move_to_done(drop, done, digest) == first
    assert other.read_text() == "another content under the same name"
    assert sorted(done.iterdir()) == sorted([first, other])


def test_a_file_that_is_no_longer_the_one_taken_in_stays(drop: Path, tmp_path: Path) -> None:
    digest = file_digest(drop)
    drop.write_text(HEADER + GOOD + GOOD)
    with pytest.raises(FileChanged):
        move_to_done(drop, tmp_path / "done", digest)
    assert drop.read_text() == HEADER + GOOD + GOOD
    assert [*(tmp_path / "done").iterdir()] == []


def test_a_vanished_file_cannot_be_moved(drop: Path, tmp_path: Path) -> None:
    drop.unlink()
    with pytest.raises(FileChanged, match="vanished"):
        move_to_done(drop, tmp_path / "done", b"")


@pytest.mark.parametrize("good", [True, False])
def test_files_are_moved_across_file_systems(
    drop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: bool
) -> None:
    """Shown by refusing renames and links from one folder to another."""
    refuse_other_folders(monkeypatch)
    digest = file_digest(drop) if good else b"another"
    if good:
        done = move_to_done(drop, tmp_path / "done", digest)
        assert done.read_text() == HEADER + GOOD
        assert done.stat().st_mode & 0o777 == 0o600
    else:
        with pytest.raises(FileChanged):
            move_to_done(drop, tmp_path / "done", digest)
    assert drop.exists() is not good
    assert len([*(tmp_path / "done").iterdir()]) == good


def refuse_other_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each folder as if it were a file system of its own."""

    def same_folder(act: Callable[..., None]) -> Callable[..., None]:
        def acting(source: Any, target: Any, **options: Any) -> None:
            if os.path.dirname(source) != os.path.dirname(target):  # noqa: PTH120
                raise OSError(18, "Invalid cross-device link")
            act(source, target, **options)

        return acting

    monkeypatch.setattr(os, "rename", same_folder(os.rename))
    monkeypatch.setattr(os, "link", same_folder(os.link))


def test_done_files_are_deleted_after_their_time(drop: Path, tmp_path: Path) -> None:
    done = move_to_done(drop, tmp_path / "done", file_digest(drop))
    laid_down = done.stat().st_ctime_ns // 1000
    folder = done.parent
    assert purge_done(folder, older_than_seconds=60, now=laid_down + 60 * SECOND) == []
    assert purge_done(folder, older_than_seconds=60, now=laid_down + 60 * SECOND + 1) == [done]
    assert not done.exists()
    assert purge_done(tmp_path / "never made", older_than_seconds=0, now=0) == []


def test_the_digest_is_of_the_content(drop: Path) -> None:
    first = file_digest(drop)
    assert len(first) == 32
    assert first == file_digest(drop)
    drop.write_text(HEADER)
    assert first != file_digest(drop)


# --- whole journeys through the room


def test_undeclared_names_never_come_out(read: Read) -> None:
    """Planted in every undeclared cell, in surplus cells and in broken rows."""
    content = (
        f"REF,OFFICER,ORG,ID,SENT\n"
        f"PPN-2027-004211,{PLANTED},EAST,71,2027-03-08\n"
        f"PPN-2027-004211,{PLANTED},EAST,72,soon\n"
        f"PPN-2027-004211,{PLANTED},EAST,73,2027-03-08,{PLANTED}\n"
        f'PPN-2027-004211,"{PLANTED},EAST,74,2027-03-08\n'
        f"PPN-2027-004211,{PLANTED}\0,EAST,75,2027-03-08\n"
    )
    outcome = read(content)
    mapper = compile_mapper(outcome.reader.feed, child_secret=SECRET)
    everything: list[Any] = [*outcome.rows, *outcome.rejected]
    mapped = list(map_rows(everything, mapper, received_at=RECEIVED))
    assert sum(len(row.events) for row in mapped) == 1
    assert sum(len(row.rejected) for row in mapped) == 4
    assert "Quillfeather" not in repr(mapped) + repr(outcome.rows) + repr(outcome.reader.dropped)


cells = st.sampled_from(["PPN-2027-004211", "EAST", "71", "2027-03-08", "", "soon", "x\x1fy", '"'])


@given(st.lists(st.lists(cells, min_size=1, max_size=6).map(",".join), max_size=12))
def test_counts_add_up(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    """Every line of a row that is not blank is an event or set aside, and counted so."""
    path = tmp_path_factory.mktemp("drop") / "drop.csv"
    path.write_text(HEADER + "\n".join(lines))
    mapper = compile_mapper(feed_of(LOG), child_secret=SECRET)
    with open_rows(path, mapper.feed) as reader:
        mapped = list(map_rows(reader, mapper, received_at=RECEIVED))
    events = sum(len(row.events) for row in mapped)
    refused = sum(len(row.rejected) for row in mapped)
    assert reader.rows_read == len(mapped) == events + refused
    assert reader.rows_rejected <= refused
