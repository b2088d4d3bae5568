"""A Stack Exchange dump: `Posts.xml` of one site, unpacked from its 7z archive; a question with its best answer is a document.

    <row Id="3" PostTypeId="1" AcceptedAnswerId="8" Score="12" Title="Is 1 prime?" Body="&lt;p&gt;Why ...&lt;/p&gt;"
         ContentLicense="CC BY-SA 4.0" />
    <row Id="8" PostTypeId="2" ParentId="3" Score="9" Body="&lt;p&gt;Because ...&lt;/p&gt;" ... />

The best answer is the accepted one, else that of the highest score, else of the lowest id. Questions may stand far from
their answers, so answers are kept in a temporary SQLite file and memory stays flat. A question without an answer, or of
a score under zero, an answer whose question is not there, and every post that is neither, is counted and left out as rejected.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stages.core.command import StageError
from stages.corpus.readers.documents import BadRecord, Chunk, Columns, Document, Record, chunked
from stages.corpus.readers.posts_xml import rows_of

QUESTION, ANSWER = "1", "2"
TABLES = """
CREATE TABLE questions (id INTEGER PRIMARY KEY, accepted INTEGER, score INTEGER, title TEXT, body TEXT, license TEXT);
CREATE TABLE answers (id INTEGER PRIMARY KEY, question INTEGER, score INTEGER, body TEXT);
"""
JOIN = """
SELECT id, title, body, license, score, (
    SELECT body FROM answers WHERE id = COALESCE(
        (SELECT id FROM answers WHERE id = questions.accepted),
        (SELECT id FROM answers WHERE question = questions.id ORDER BY score DESC, id LIMIT 1)
    )
) FROM questions ORDER BY id
"""
ORPHANS = "SELECT id, question FROM answers WHERE question NOT IN (SELECT id FROM questions) ORDER BY id"


def read_stackexchange(path: Path, columns: Columns) -> Iterator[Chunk]:
    if path.is_dir():
        path = path / "Posts.xml"
    if not path.is_file():
        raise StageError(
            f"{path} is missing. Unpack Posts.xml from the dump's .7z archive (`7z x`), or correct `path`."
        )
    return chunked(_records(path))


def _records(path: Path) -> Iterator[Record]:
    with tempfile.TemporaryDirectory() as folder, sqlite3.connect(f"{folder}/posts.sqlite") as database:
        database.executescript(f"PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; {TABLES}")
        yield from _store(path, database)
        database.execute("CREATE INDEX by_question ON answers (question)")
        for number, question in database.execute(ORPHANS):
            yield BadRecord(f"{path}: post {number}", "no_question", f"its question {question} is not in the file")
        site = path.resolve().parent.name
        for number, title, body, license_name, score, answer in database.execute(JOIN):
            place = f"{path}: post {number}"
            if answer is None or score < 0:
                yield BadRecord(place, "unanswered" if answer is None else "voted_down", title)
            else:
                text = f"<p>{title}</p>\n{body}\n<p>Answer:</p>\n{answer}"
                yield Document(text, title, f"https://{site}/questions/{number}", license_name, place)


def _store(path: Path, database: sqlite3.Connection) -> Iterator[Record]:
    """Put questions and answers into the database; yields what is neither."""
    for number, post in enumerate(rows_of(path), 1):
        if isinstance(post, BadRecord):
            yield post
            continue
        place = f"{path}:{number}"
        try:
            is_stored = _store_post(post, database)
        except (KeyError, ValueError, OverflowError, sqlite3.IntegrityError) as error:
            yield BadRecord(place, "unreadable", f"post {post.get('Id')}: {type(error).__name__} {error}")
        else:
            if not is_stored:
                yield BadRecord(place, "no_post", f"post {post['Id']} of type {post['PostTypeId']}")


def _store_post(post: dict[str, str], database: sqlite3.Connection) -> bool:
    number, score = int(post["Id"]), int(post.get("Score", 0))
    if post["PostTypeId"] == QUESTION:
        accepted = int(post.get("AcceptedAnswerId", -1))
        row = (number, accepted, score, post.get("Title", ""), post["Body"], post.get("ContentLicense", "CC BY-SA"))
        database.execute("INSERT INTO questions VALUES (?, ?, ?, ?, ?, ?)", row)
    elif post["PostTypeId"] == ANSWER:
        database.execute(
            "INSERT INTO answers VALUES (?, ?, ?, ?)", (number, int(post["ParentId"]), score, post["Body"])
        )
    else:
        return False
    return True
