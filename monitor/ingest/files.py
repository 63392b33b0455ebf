"""Dropped files: which are waiting, what rows they hold, where they go when they are done.

What comes in: folders, and files of CSV or JSON Lines, plain or gzipped, of any size.
What goes out: rows as the declared columns alone, in the feed's order, read one at a time; and a
`Rejected` for each row that cannot be read, without its cells, since they cannot be told apart.
It does not care what the cells mean.
"""

from __future__ import annotations

import csv
import errno
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import stat
import zlib
from collections import deque
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import count
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from monitor.faults import Fault, FaultsFound
from monitor.ingest.rejected import UNFIT, Reason, Rejected, row_digest
from monitor.model import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from monitor.ingest.feeds import Feed
    from monitor.model import Instant

LONGEST_LINE: Final = 1 << 20
"""Characters of a line; a longer one is set aside without being held."""

MOST_LINES: Final = 500
"""Lines of one CSV row. A quote that is never closed would otherwise swallow the file."""

MOST_NAMES: Final = 200
"""Undeclared names that are counted one by one; the rest together."""

REST: Final = "(others)"

_KEY: Final = re.compile(r"[^\W\d][\w.:@-]{0,59}")
_HEADING: Final = re.compile(r"[^\W\d][\w.:@ ()/-]{0,59}")
_UNFINISHED: Final = (".tmp", ".part", ".partial", ".filepart", ".crdownload", "~")
_DIGEST: Final = 32
_NAMED: Final = 8
"""Bytes of the digest that a done file bears in its name."""

_Read: TypeAlias = tuple[int, tuple[str, ...]] | Rejected


class FileChanged(Exception):
    """A file is not what it was when reading began: it grew, shrank, was replaced or vanished."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}; it is left where it is and read anew next time")
        self.path = path


def waiting_files(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """The files of a drop folder that have their final names, the oldest first.

    Hidden and unfinished names are left alone, and so is what is no regular file: a link could
    lead anywhere. Raises FaultsFound where the folder is not there.
    """
    patterns = tuple(patterns)
    waiting = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if _is_final(entry.name, patterns):
                    with suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(status.st_mode):
                            waiting.append((status.st_mtime_ns, entry.name))
    except (FileNotFoundError, NotADirectoryError):
        fault = Fault(file=str(folder), expected="the drop folder is not there", mend="create it")
        raise FaultsFound([fault]) from None
    return [folder / name for _, name in sorted(waiting)]


def file_digest(path: Path) -> bytes:
    """32 bytes that stand for a file's content, as it lies on the disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _blake).digest()


def open_rows(path: Path, feed: Feed) -> RowReader:
    """Open a dropped file for reading row by row; use it in a `with` statement.

    Raises FaultsFound where nothing can be read: no regular file, no header, columns missing;
    FileChanged where it has vanished.
    """
    reader = RowReader(path, feed)
    try:
        reader.begin()
    except BaseException:
        reader.close()
        raise
    return reader


class RowReader:
    """Yields `(line, cells)`, or a `Rejected`, once through. Made by `open_rows`.

    While it is read, and once it is exhausted, the counts below stand. Raises FileChanged when
    the file changes under its reader.
    """

    def __init__(self, path: Path, feed: Feed) -> None:
        self.path = path
        self.feed = feed
        self.rows_read = 0
        """Rows yielded so far, those set aside among them: where `skip_rows` takes up again."""
        self.rows_rejected = 0
        self.blank_lines = 0
        self.dropped: dict[str, int] = {}
        """Undeclared columns by name: in how many rows they were dropped."""
        self.never_seen: frozenset[str] = frozenset()
        """JSON Lines: declared names that no row so far has had."""
        self._file = _opened(path)
        self._status = os.fstat(self._file.fileno())
        self.size = self._status.st_size
        """Bytes of the file as it lies on the disk."""
        self._declared = frozenset(feed.declared_columns)
        self._last_line = 0
        self._text: io.TextIOWrapper | None = None
        self._rows: Iterator[_Read] = iter(())

    def begin(self) -> None:
        """Read as far as the first row."""
        if not stat.S_ISREG(self._status.st_mode):
            raise _unreadable(self.path, "this is no regular file")
        self._text = text = self._decoded()
        rows = self._csv_rows(text) if self.feed.format == "csv" else self._json_rows(text)
        self._rows = self._watched(rows)

    def __iter__(self) -> Iterator[_Read]:
        return self._rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._text is not None:
            self._text.close()
        self._file.close()

    @property
    def bytes_read(self) -> int:
        """How far reading has come, of `size`; compressed bytes where the file is compressed."""
        return self.size if self._file.closed else min(self._file.tell(), self.size)

    def skip_rows(self, rows: int) -> None:
        """Pass over rows that were taken in before an interruption; they count as read."""
        while self.rows_read < rows and next(self._rows, None) is not None:
            pass

    def _decoded(self) -> io.TextIOWrapper:
        packed = self._file.read(2) == b"\x1f\x8b"
        self._file.seek(0)
        stream: Any
        if packed:  # unbuffered: a buffer would lose what was unpacked before the file broke off
            stream = gzip.GzipFile(fileobj=self._file, mode="rb")
        else:
            stream = io.BufferedReader(self._file)
        return io.TextIOWrapper(
            stream,
            encoding=self.feed.encoding,
            errors="surrogateescape",  # a cell in another encoding spoils itself, not the file
            newline="" if self.feed.format == "csv" else "\n",
        )

    def _watched(self, rows: Iterator[_Read]) -> Iterator[_Read]:
        """Rows as far as the file can be read; then a word on where it broke off, if it did."""
        try:
            yield from rows
        except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
            yield self._broken_off(error)
        except OSError as error:
            raise FileChanged(self.path, f"it cannot be read further ({error.strerror})") from error
        self._must_be_unchanged()

    def _broken_off(self, error: Exception) -> Rejected:
        undecodable = isinstance(error, UnicodeError)
        return self._reject(
            self._last_line + 1,
            Reason.UNDECODABLE if undecodable else Reason.CUT_OFF,
            f"text in {self.feed.encoding}" if undecodable else "a whole gzip file",
            "bytes of another kind from here on" if undecodable else "the end in the middle",
            "",
        )

    def _must_be_unchanged(self) -> None:
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            raise FileChanged(self.path, "it vanished while it was read") from None
        if _identity(status) != _identity(self._status):
            raise FileChanged(self.path, "it was changed while it was read")

    # --- CSV

    def _csv_rows(self, text: io.TextIOWrapper) -> Iterator[_Read]:
        csv.field_size_limit(LONGEST_LINE)  # the module's own; 128 KiB would refuse long narratives
        lines = _Lines(text.readline)
        parser = csv.reader(lines, delimiter=self.feed.delimiter, strict=True)
        header = self._header(parser)
        pick = _picker(header, self.feed.declared_columns)
        undeclared = sorted({*header} - {*self.feed.declared_columns})
        self._count_dropped(undeclared, 0)
        return self._csv_cells(lines, parser, len(header), pick, undeclared)

    def _csv_cells(
        self,
        lines: _Lines,
        parser: Iterator[list[str]],
        width: int,
        pick: Callable[[list[str]], tuple[str, ...]],
        undeclared: list[str],
    ) -> Iterator[_Read]:
        whole = 0
        record = lines.record
        try:
            while True:
                record.clear()
                try:
                    cells = next(parser)
                except StopIteration:
                    return
                except _BadLine as bad:
                    yield self._reject(bad.line, bad.reason, bad.expected, bad.found, "")
                    record.pop()
                    if record:
                        yield self._mangled(lines, *_BROKEN_QUOTES)
                    continue
                except csv.Error:
                    yield self._mangled(lines, *_BROKEN_QUOTES)
                    continue
                if len(cells) == width:
                    self.rows_read += 1
                    whole += 1
                    self._last_line = record[-1][0]
                    yield record[0][0], pick(cells)
                elif cells:
                    words = f"{width} cells, as in the header", f"{len(cells)} cells"
                    yield self._mangled(lines, Reason.WRONG_CELLS, *words)
                else:
                    self.blank_lines += 1
        finally:
            self._count_dropped(undeclared, whole)

    def _header(self, parser: Iterator[list[str]]) -> list[str]:
        try:
            header = [name.strip() for name in next(parser, [])]
        except (csv.Error, _BadLine, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError):
            raise _unreadable(self.path, "the header cannot be read") from None
        if not any(header):
            raise _unreadable(self.path, "the file is empty, not even a header is there")
        declared = self.feed.declared_columns
        if missing := [name for name in declared if name not in header]:
            words = f"the header lacks {_quoted(missing)}, which the feed {self.feed.name} reads"
            raise _unreadable(self.path, words, mend=self._likely_cause(header, missing))
        if doubled := [name for name in declared if header.count(name) > 1]:
            raise _unreadable(self.path, f"the header has {_quoted(doubled)} more than once")
        return header

    def _likely_cause(self, header: list[str], missing: list[str]) -> str:
        """A hint that names nothing of the file but what the feed names as well."""
        folded = {name.casefold() for name in header}
        if len(header) == 1:
            for delimiter in ",;\t|":
                if delimiter != self.feed.delimiter and delimiter in header[0]:
                    return f"is its delimiter {delimiter!r} rather than {self.feed.delimiter!r}?"
        if all(name.casefold() in folded for name in missing):
            return "capital and small letters differ"
        return "correct the extract, or the columns of the feed"

    def _mangled(self, lines: _Lines, reason: Reason, expected: str, found: str) -> Rejected:
        """Set the first line of a bad row aside, and look at its other lines anew.

        A stray quote joins the lines that follow to its own; they are rows in their own right.
        """
        (line, text), *others = lines.record
        lines.pushed.extendleft(reversed(others))
        return self._reject(line, reason, expected, found, text)

    # --- JSON Lines

    def _json_rows(self, text: io.TextIOWrapper) -> Iterator[_Read]:
        lines = _Lines(text.readline)
        unseen = set(self.feed.declared_columns)
        self.never_seen = frozenset(unseen)
        while True:
            lines.record.clear()
            try:
                line = next(lines)
                if not line.strip():
                    self.blank_lines += 1
                    continue
                cells = self._json_cells(line, unseen)
            except StopIteration:
                return
            except _BadLine as bad:
                number, text_of_line = lines.record[0]
                yield self._reject(number, bad.reason, bad.expected, bad.found, text_of_line)
                continue
            self.rows_read += 1
            self._last_line = lines.record[0][0]
            yield self._last_line, cells

    def _json_cells(self, line: str, unseen: set[str]) -> tuple[str, ...]:
        try:
            row = _JSON.decode(line.strip())
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise _BadLine(0, Reason.NOT_JSON, "one JSON object a line, each name once", "none")
        declared = self.feed.declared_columns
        cells = tuple(_plain(row.get(name)) for name in declared)
        if unseen and not unseen.isdisjoint(row):
            unseen.difference_update(row)
            self.never_seen = frozenset(unseen)
        self._count_dropped((name for name in row if name not in self._declared), 1)
        return cells

    def _count_dropped(self, names: Iterable[str], rows: int) -> None:
        for name in names:
            known = name in self.dropped or (
                len(self.dropped) < MOST_NAMES and self._is_a_name(name)
            )
            counted = name if known else REST
            self.dropped[counted] = self.dropped.get(counted, 0) + rows

    def _is_a_name(self, text: str) -> bool:
        """Whether a text can be a column's name; a JSON object may be keyed by data instead."""
        spaced = self.feed.format == "csv"
        return bool((_HEADING if spaced else _KEY).fullmatch(text)) and not UNFIT.search(text)

    def _reject(self, line: int, reason: Reason, expected: str, found: str, text: str) -> Rejected:
        self.rows_read += 1
        self.rows_rejected += 1
        digest = row_digest(self.feed.name, reason, text or f"{self.path.name}:{line}")
        return Rejected(line, "", reason, expected, found, {}, digest)


_BROKEN_QUOTES: Final = (
    Reason.QUOTES,
    "quotes that are closed, and doubled inside quoted text",
    "a quote out of place",
)


class _BadLine(Exception):
    """A line that no row can be made of."""

    def __init__(self, line: int, reason: Reason, expected: str, found: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason
        self.expected = expected
        self.found = found


class _Lines:
    """Lines of bounded length with their numbers; those of the row at hand can be given back."""

    def __init__(self, readline: Callable[[int], str]) -> None:
        self._readline = readline
        self._number = 0
        self.record: list[tuple[int, str]] = []
        """Number and text of each line that was read since this was last emptied."""
        self.pushed: deque[tuple[int, str]] = deque()
        """Lines to be read again, before any other."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if self.pushed:
            number, line = self.pushed.popleft()
        else:
            line = self._readline(LONGEST_LINE + 1)
            if not line:
                raise StopIteration
            self._number = number = self._number + 1
        self.record.append((number, line))
        if len(line) > LONGEST_LINE:
            self._pass_over(line)
            words = f"a line of at most {LONGEST_LINE} characters", "a longer one"
            raise _BadLine(number, Reason.LINE_TOO_LONG, *words)
        if "\0" in line:
            raise _BadLine(number, Reason.NUL, "text", "NUL bytes")
        if len(self.record) > MOST_LINES:
            raise csv.Error
        return line

    def _pass_over(self, line: str) -> None:
        """Read to the end of a line without keeping it."""
        while line and not line.endswith(("\n", "\r")):
            line = self._readline(LONGEST_LINE)


def _opened(path: Path) -> io.FileIO:
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise FileChanged(path, "it has vanished") from None
    except OSError as error:
        link = error.errno == errno.ELOOP
        words = "this is a link, not a file" if link else f"it cannot be opened: {error.strerror}"
        raise _unreadable(path, words) from None
    return io.FileIO(number, "rb")


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _unreadable(path: Path, expected: str, *, mend: str = "") -> FaultsFound:
    return FaultsFound([Fault(file=str(path), expected=expected, mend=mend)])


def _quoted(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _picker(header: list[str], declared: tuple[str, ...]) -> Callable[[list[str]], tuple[str, ...]]:
    """Takes the declared cells of a row, in the declared order."""
    places = [header.index(name) for name in declared]
    if len(places) == 1:
        return lambda cells: (cells[places[0]],)
    return itemgetter(*places)


def _is_final(name: str, patterns: tuple[str, ...]) -> bool:
    if name.startswith(".") or name.lower().endswith(_UNFINISHED):
        return False
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError
    return row


def _no_number(_: str) -> Any:
    raise ValueError


_JSON: Final = json.JSONDecoder(
    object_pairs_hook=_each_name_once,
    parse_int=str,  # as written: an identifier may be longer than any number
    parse_float=str,
    parse_constant=_no_number,
)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    words = "a text, a number, true, false or null in each declared place", "a list or an object"
    raise _BadLine(0, Reason.NOT_PLAIN, *words)


# --- what is done


def move_to_done(path: Path, done_folder: Path, digest: bytes) -> Path:
    """Move a file that was taken in to a private folder, and answer where it is now.

    `digest` is what `file_digest` said when it was taken in; FileChanged where the file is no
    longer that one, and it then stays. Nothing is overwritten: the same content, done before, is
    kept once. The folder is made for its owner alone (0700), the file likewise (0600).
    """
    done_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    done_folder.chmod(0o700)
    taken = done_folder / f".taking-{os.getpid()}-{path.name}"
    _take(path, taken)
    if file_digest(taken) != digest:
        _give_back(taken, path)
        raise FileChanged(path, "it is not the file that was taken in")
    return _settle(taken, done_folder, f"{digest[:_NAMED].hex()}-{path.name}", digest)


def purge_done(folder: Path, *, older_than_seconds: int, now: Instant) -> list[Path]:
    """Delete what has lain in a done folder for longer than that; answers what was deleted."""
    if not folder.is_dir():
        return []
    purged = []
    for path in sorted(folder.iterdir()):
        with suppress(FileNotFoundError):
            status = path.lstat()
            laid_down = status.st_ctime_ns // 1000  # the change of place; a move keeps st_mtime
            if stat.S_ISREG(status.st_mode) and now - laid_down > older_than_seconds * SECOND:
                path.unlink()
                purged.append(path)
    return purged


def _blake() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_DIGEST)


def _take(path: Path, taken: Path) -> None:
    """Take a file out of reach of its writer, in one step where one file system allows it."""
    try:
        if path.lstat().st_uid != os.geteuid():
            _copy(path, taken)
            return
        path.rename(taken)
    except FileNotFoundError:
        raise FileChanged(path, "it has vanished") from None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(path, taken)
    else:
        taken.chmod(0o600)


def _copy(path: Path, taken: Path) -> None:
    """The same for a file on another file system, or of another owner."""
    with suppress(FileNotFoundError):
        taken.unlink()
    number = os.open(taken, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as target, path.open("rb") as source:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    path.unlink()


def _give_back(taken: Path, path: Path) -> None:
    """Put a file back where it lay, unless another lies there by now."""
    for number in count():
        target = path if not number else path.with_name(f"{number}-{path.name}")
        with suppress(FileExistsError):
            _link(taken, target)
            return


def _settle(taken: Path, folder: Path, name: str, digest: bytes) -> Path:
    for number in count():
        target = folder / (name if not number else f"{number}-{name}")
        try:
            _link(taken, target)
        except FileExistsError:
            if file_digest(target) != digest:
                continue
            taken.unlink()
        return target
    raise AssertionError


def _link(taken: Path, target: Path) -> None:
    """Rename that never overwrites: FileExistsError where the target is there already."""
    try:
        os.link(taken, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # another file system, or one without hard links
        number = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as copy, taken.open("rb") as source:
            shutil.copyfileobj(source, copy, 1 << 20)
    taken.unlink()
