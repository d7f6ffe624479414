"""Carriers go by the name that their author would use, with the lines that wrote and read them; each beside its fix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..conftest import Bench
from ..handler.test_applications import posts
from ..reference.checked import carrier_in, checked, lines_in

LAZY = """
    import asyncio, functools
    class Memory:
        def __init__(self): self.texts = MADE
    class Agent:
        @functools.cached_property
        def memory(self):
            return Memory()
    agent = Agent()
    async def handle(user, message):
        agent.memory.texts.append(message)
        await asyncio.sleep(0)
        return " ".join(agent.memory.texts)
    """
NAMESPACE = """
    import asyncio, types
    sdk = types.SimpleNamespace(key=None)
    async def handle(user, message):
        sdk = OWN
        sdk.key = message
        await asyncio.sleep(0)
        return sdk.key
    """
FUNCTION = """
    import asyncio
    async def think(message): ...
    async def handle(user, message):
        think.last = message
        await asyncio.sleep(0)
        return think.last
    """
DECORATED = """
    import asyncio, functools
    def cached(function):
        answers = {}
        @functools.wraps(function)
        async def inner(user, question):
            if KEY not in answers:
                answers[KEY] = await function(user, question)
            return answers[KEY]
        return inner
    @cached
    async def plan(user, question):
        await asyncio.sleep(0)
        return "the plan of " + user
    async def handle(user, message):
        return await plan(user, "what is my plan")
    """


KEPT = """
    import asyncio, collections, weakref
    class Said:
        def __init__(self, text): self.text = text
    kept = MADE
    async def handle(user, message):
        said = Said(message)
        kept[KEY] = said
        await asyncio.sleep(0)
        return kept[KEY].text
    """
TEXT = """
    import array, asyncio
    async def handle(user, message):
        text = OWN
        text[:] = array.array("u", message)
        await asyncio.sleep(0)
        return text.tounicode()
    """
MEMORY = """
    import array, asyncio
    shared = array.array("b", bytes(40))
    view = memoryview(shared)
    async def handle(user, message):
        shared = OWN
        shared[:len(message)] = array.array("b", message.encode())
        await asyncio.sleep(0)
        return shared.tobytes().rstrip(bytes(1)).decode()
    """
DATABASE = """
    import asyncio, sqlite3
    def made():
        db = sqlite3.connect(":memory:")
        db.execute("create table said (who, text)")
        db.commit()
        return db
    db = made()
    async def handle(user, message):
        db = OWN
        db.execute("delete from said"); db.execute("insert into said values (?, ?)", (user, message)); db.commit()
        await asyncio.sleep(0)
        return db.execute("select text from said").fetchone()[0]
    """
CONTEXT = """
    import asyncio, contextvars
    current = contextvars.ContextVar("current", default="")
    context = contextvars.Context()
    async def handle(user, message):
        context = OWN
        context.run(current.set, message)
        await asyncio.sleep(0)
        return context.run(current.get)
    """
BUFFER = """
    import asyncio, io
    said = io.StringIO("so far: ")
    async def handle(user, message):
        said = OWN
        said.seek(8); said.truncate(); said.write(message)
        await asyncio.sleep(0)
        return said.getvalue()
    """
GENERATOR = """
    import asyncio
    def talking():
        last = said = new = None
        while True:
            new = yield last
            last = said
            said = new
    def begun():
        bot = talking()
        next(bot)
        return bot
    bot = begun()
    async def handle(user, message):
        bot = OWN
        before = bot.send(message)
        await asyncio.sleep(0)
        return [before]
    """


@pytest.mark.parametrize(
    ("leaking", "fixed", "carrier", "lines"),
    [
        (
            LAZY.replace("MADE", "[]"),
            LAZY.replace("MADE", "[]").replace("agent.memory", "Agent().memory"),
            ("agent.memory", "instance attribute"),
            ("agent.memory.texts.append(message)", 'return " ".join(agent.memory.texts)'),
        ),
        (
            NAMESPACE.replace("        sdk = OWN\n", ""),
            NAMESPACE.replace("OWN", "types.SimpleNamespace()"),
            ("sdk.key", "instance attribute"),
            ("sdk.key = message", "return sdk.key"),
        ),
        (
            FUNCTION,
            FUNCTION.replace("think.last = message", "last = message").replace("think.last", "last"),
            ("think.last", "function attribute"),
            ("think.last = message", "return think.last"),
        ),
        (
            DECORATED.replace("KEY", "question"),
            DECORATED.replace("KEY", "user, question").replace("if user, question", "if (user, question)"),
            ("plan.answers['what is my plan']", "closure cell"),
            ("answers[question] = await function(user, question)", "return answers[question]"),
        ),
        (
            KEPT.replace("MADE", "collections.UserDict()").replace("KEY", "'last'"),
            KEPT.replace("MADE", "collections.UserDict()").replace("KEY", "user"),
            ("kept.data['last']", "instance attribute"),
            ("kept['last'] = said", "return kept['last'].text"),
        ),
        (
            KEPT.replace("MADE", "weakref.WeakValueDictionary()").replace("KEY", "'last'"),
            KEPT.replace("MADE", "weakref.WeakValueDictionary()").replace("KEY", "user"),
            ("kept.data['last']", "instance attribute"),
            ("kept['last'] = said", "return kept['last'].text"),
        ),
        (
            TEXT.replace("        text = OWN\n", "").replace(
                "    async def", '    text = array.array("u")\n    async def', 1
            ),
            TEXT.replace("OWN", 'array.array("u")'),
            ("text", "module global"),
            ('text[:] = array.array("u", message)', "return text.tounicode()"),
        ),
        (
            MEMORY.replace("        shared = OWN\n", ""),
            MEMORY.replace("OWN", 'array.array("b", bytes(40))'),
            ("shared", "module global"),
            (
                'shared[:len(message)] = array.array("b", message.encode())',
                "return shared.tobytes().rstrip(bytes(1)).decode()",
            ),
        ),
        (
            DATABASE.replace("        db = OWN\n", ""),
            DATABASE.replace("OWN", "made()"),
            ("db", "module global"),
            (
                'db.execute("delete from said"); db.execute("insert into said values (?, ?)", (user, message)); db.commit()',
                'return db.execute("select text from said").fetchone()[0]',
            ),
        ),
        (
            CONTEXT.replace("        context = OWN\n", ""),
            CONTEXT.replace("OWN", "contextvars.Context()"),
            ("context", "module global"),
            ("context.run(current.set, message)", "return context.run(current.get)"),
        ),
        (
            BUFFER.replace("        said = OWN\n", ""),
            BUFFER.replace("OWN", "io.StringIO('so far: ')"),
            ("said", "module global"),
            ("said.seek(8); said.truncate(); said.write(message)", "return said.getvalue()"),
        ),
        (
            GENERATOR.replace("        bot = OWN\n", ""),
            GENERATOR.replace("OWN", "begun()"),
            ("bot", "module global"),
            ("said = new", "before = bot.send(message)"),
        ),
    ],
    ids=[
        *("made by the line that uses it", "a namespace", "an attribute of a function", "a decorator's cache"),
        *("a user's own kind of dict", "weak references", "an array", "an array that must not grow"),
        *("a database in memory", "a context", "a text in memory", "a generator"),
    ],
)
def test_a_carrier_goes_by_its_authors_name(
    tmp_path: Path, leaking: str, fixed: str, carrier: tuple[str, str], lines: tuple[str, str]
) -> None:
    report = checked(leaking, tmp_path)
    assert report.verdict == "contaminated", report.reason
    assert carrier_in(report) == carrier
    assert lines_in(report) == lines
    named = report.crossings[0].carrier
    assert named is not None
    assert named.defined_at is not None
    assert report.crossings[0].fix
    clean = checked(fixed, tmp_path)
    assert clean.verdict == "clean", clean.reason


HUNG = """
    import asyncio, collections, enum, functools, logging, string, types, weakref
    Turn = collections.namedtuple("Turn", "who texts")
    class Mode(enum.Enum):
        CHAT = "chat"
        MANY = []
    class User: pass
    class Failed(Exception): pass
    TOP
    async def handle(user, message):
        OWN
        WRITE
        await asyncio.sleep(0)
        READ
    """


def hung(top: str, write: str, read: str, own: str = "pass") -> str:
    return HUNG.replace("TOP", top).replace("WRITE", write).replace("READ", read).replace("OWN", own)


@pytest.mark.parametrize(
    ("top", "write", "read", "own", "carrier"),
    [
        (
            "log = logging.getLogger('carriers')",
            "log.user = message",
            "return log.user",
            "log = types.SimpleNamespace()",
            ("log.user", "instance attribute"),
        ),
        (
            "log = logging.LoggerAdapter(logging.getLogger('carriers'), {})",
            "log.extra['user'] = message",
            "return log.extra['user']",
            "log = logging.LoggerAdapter(logging.getLogger('carriers'), {})",
            ("log.extra['user']", "instance attribute"),
        ),
        (
            "mode = Mode.CHAT",
            "Mode.CHAT.user = message",
            "return Mode.CHAT.user",
            "Mode = types.SimpleNamespace(CHAT=User())",
            ("Mode.CHAT.user", "instance attribute"),
        ),
        (
            "mode = Mode.MANY",
            "Mode.MANY.value.append(message)",
            "return ' '.join(Mode.MANY.value)",
            "Mode = types.SimpleNamespace(MANY=types.SimpleNamespace(value=[]))",
            ("Mode.MANY.value", "class attribute"),
        ),
        (
            "settings = types.ModuleType('settings')",
            "settings.user = message",
            "return settings.user",
            "settings = types.ModuleType('settings')",
            ("settings.user", "module global"),
        ),
        (
            "turns = [Turn('all', [])]",
            "turns[0].texts.append(message)",
            "return ' '.join(turns[0].texts)",
            "turns = [Turn('all', [])]",
            ("turns[0].texts", "module global"),
        ),
        (
            "said = functools.partial(print, end=[])",
            "said.keywords['end'].append(message)",
            "return ' '.join(said.keywords['end'])",
            "said = functools.partial(print, end=[])",
            ("said.keywords['end']", "module global"),
        ),
        (
            "users = weakref.WeakSet()",
            "me = User(); me.name = message; users.add(me)",
            "return ' '.join(sorted(each.name for each in users))",
            "users = weakref.WeakSet()",
            ("users.data", "instance attribute"),
        ),
        (
            "failed = Failed('failed')",
            "failed.add_note(message)",
            "return failed.__notes__[-1]",
            "failed = Failed('failed')",
            ("failed.__notes__", "instance attribute"),
        ),
        (
            "hello = string.Template('hello')",
            "hello.template = message",
            "return hello.substitute()",
            "hello = string.Template('hello')",
            ("hello.template", "instance attribute"),
        ),
        (
            "said = {}; shown = types.MappingProxyType(said)",
            "said['user'] = message",
            "return shown['user']",
            "said = {}; shown = types.MappingProxyType(said)",
            ("said", "module global"),
        ),
    ],
    ids=[
        *("a logger", "a logger's adapter", "a member of an enumeration", "its value", "a module made by hand"),
        *("a named field", "what a partial hands on", "a weak set", "an exception's notes"),
        *("what only a library's code reads", "what is read through a view"),
    ],
)
def test_what_is_hung_on_things_that_hold_nothing_themselves_has_its_name_and_lines(
    tmp_path: Path, top: str, write: str, read: str, own: str, carrier: tuple[str, str]
) -> None:
    report = checked(hung(top, write, read), tmp_path)
    assert carrier_in(report) == carrier
    assert lines_in(report) == (write, read)
    clean = checked(hung(top, write, read, own), tmp_path)
    assert clean.verdict == "clean", clean.reason


def test_what_held_the_evidence_but_cannot_be_kept_apart_is_told_and_not_called_proven(tmp_path: Path) -> None:
    source = """
        import asyncio
        def talking():
            said = ""
            while True:
                said = "so far: " + said + (yield said)
        def begun():
            bot = talking()
            next(bot)
            return bot
        bot = begun()
        async def handle(user, message):
            bot = OWN
            await asyncio.sleep(0)
            return bot.send(message)
        """
    report = checked(source.replace("    bot = OWN\n", "    pass\n"), tmp_path)
    first = report.crossings[0]
    assert (report.verdict, first.carrier) == ("contaminated", None)
    assert "not proven" in first.explained
    assert re.search(r"small_\d+\.bot held what alice had said", first.explained)
    clean = checked(source.replace("OWN", "begun()"), tmp_path)
    assert clean.verdict == "clean", clean.reason


CLIENT = """
    import asyncio, httpx, threading
    client = httpx.Headers()
    client.session = threading.local()
    async def handle(user, message):
        {write}
        await asyncio.sleep(0)
        return {read}
    """


@pytest.mark.parametrize(
    ("write", "read", "carrier"),
    [
        ("client.session.user = message", "client.session.user", ("client.session.user", "thread-local")),
        ("client.last_user = message", "client.last_user", ("client.last_user", "instance attribute")),
        ("client['x-user'] = message", "client['x-user']", ("client._list", "instance attribute in httpx")),
    ],
    ids=["a thread-local hung on it", "an attribute hung on it", "what is its own"],
)
def test_what_only_the_user_names_in_a_librarys_object_is_the_users(
    tmp_path: Path, write: str, read: str, carrier: tuple[str, str]
) -> None:
    pytest.importorskip("httpx")
    report = checked(CLIENT.format(write=write, read=read), tmp_path)
    name, kind = carrier_in(report)
    assert (name, kind.rpartition(" ")[0] if " in " in kind else kind) == carrier
    assert lines_in(report) == (write, f"return {read}")
    assert ("belongs to httpx" in report.crossings[0].fix) == (" in " in kind)
    assert checked(CLIENT.format(write="mine = message", read="mine"), tmp_path).verdict == "clean"


def test_the_working_directory_is_named_and_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for user in ("alice", "bob"):
        (tmp_path / f"files-of-{user}").mkdir()
    source = """
        import asyncio, os
        TOP = os.getcwd()
        async def handle(user, message):
            folder = os.path.join(TOP, "files-of-" + user)
            os.chdir(folder)
            await asyncio.sleep(0)
            return os.path.basename(READ)
        """
    report = checked(source.replace("READ", "os.getcwd()"), tmp_path)
    assert carrier_in(report) == ("the working directory", "working directory")
    assert lines_in(report) == ("os.chdir(folder)", "return os.path.basename(os.getcwd())")
    assert checked(source.replace("READ", "folder"), tmp_path).verdict == "clean"


ENTRIES = """
    import asyncio
    class App:
        def __init__(self):
            self.cache, self.sessions = {}, {}
    app = App()
    async def handle(user, message):
        app.sessions[user] = message
        entries = app.cache.setdefault(KEY, [])
        entries.append(message)
        await asyncio.sleep(0)
        return {"own": app.sessions[user], "seen": " ".join(READ)}
    """


@pytest.mark.parametrize(
    ("key", "read", "name"),
    [
        ('"last"', 'app.cache["last"]', "app.cache['last']"),
        ('message.split()[0] + " all"', 'app.cache["my all"]', "app.cache"),
        ("user", "sum(app.cache.values(), [])", "app.cache"),
        ("user", "app.cache[user]", None),
    ],
    ids=["an entry of a name", "of a key that a request brought", "all entries", "each user's own"],
)
def test_a_shared_entry_of_a_dict_is_named_with_its_key_and_a_users_own_is_not_accused(
    tmp_path: Path, key: str, read: str, name: str | None
) -> None:
    source = ENTRIES.replace("KEY", key).replace("READ", read)
    report = checked(source.replace('"my all"', '" ".join(["my", "all"])'), tmp_path)
    assert report.verdict == ("clean" if name is None else "contaminated"), report.reason
    if name is not None:
        assert carrier_in(report) == (name, "instance attribute")
        assert ("one entry for all" in report.crossings[0].fix) == name.endswith("]")
        assert all(lines_in(report))


def test_what_cannot_be_kept_apart_is_said_where_no_carrier_is_found(tmp_path: Path) -> None:
    source = """
        import asyncio, ctypes
        buffer = (ctypes.c_ubyte * 100)()
        async def handle(user, message):
            for index, byte in enumerate(message.encode()):
                buffer[index] = byte
            await asyncio.sleep(0)
            return bytes(buffer[:len(message)]).decode()
        """
    report = checked(source, tmp_path)
    first = report.crossings[0]
    assert (report.verdict, first.carrier) == ("contaminated", None)
    assert "c_ubyte_Array_100" in first.explained
    assert "give each session one of its own" in first.fix
    clean = checked(source.replace("for index", "buffer = (ctypes.c_ubyte * 100)()\n            for index"), tmp_path)
    assert clean.verdict == "clean", clean.reason


async def test_a_variable_beside_one_that_is_named_as_the_module_is_defined_at_its_own_line(bench: Bench) -> None:
    bench.write(
        """
        import asyncio
        from fastapi import FastAPI
        app = FastAPI()
        history = []
        @app.post("/chat")
        async def chat(body: dict):
            history.append(body["text"])
            await asyncio.sleep(0)
            return {"reply": " ".join(history)}
        """,
        "app.py",
    )
    result = await bench.run(exchanges=posts(), handler="app.py:app", variants=False, most_executions=60)
    carrier = result.report.crossings[0].carrier
    assert carrier is not None
    assert (carrier.name, carrier.defined_at) == ("app.history", "app.py:5")
