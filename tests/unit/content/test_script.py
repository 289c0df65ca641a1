"""Scripts of messages: what they may do, what they find, what their faults cost."""

import threading
from datetime import UTC, datetime, timedelta, timezone
from time import perf_counter
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.content import Preparation, Rendered, Source, Template, compile_message
from aftersend.errors import InvalidContent
from aftersend.model.ids import MessageId
from tests.support.content_golden import ADDRESSES, DELIVERY_ID, KEYS, MESSAGE_ID, tokens

AT = datetime(2026, 3, 5, 9, 30, 15, 250000, tzinfo=UTC)
DEFAULT = Preparation()
PATIENCE_S = 20.0
"""More than a bounded script takes on a busy machine, far less than an unbounded one."""


def _template(text: str, preparation: Preparation = DEFAULT) -> Template:
    return compile_message(
        Source("-", text=text),
        delivery_id=DELIVERY_ID,
        addresses=ADDRESSES,
        preparation=preparation,
    )


def _render(
    template: Template,
    *,
    message_id: MessageId = MESSAGE_ID,
    at: datetime = AT,
    **recipient: object,
) -> Rendered:
    return template.render(recipient, message_id=message_id, keys=KEYS, at=at)


def _written(text: str, preparation: Preparation = DEFAULT, **recipient: object) -> str:
    template = _template(f"-{text}", preparation)
    rendered = template.render(recipient, message_id=MESSAGE_ID, keys=KEYS, at=AT)
    assert rendered.text is not None
    return rendered.text[1:]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<% if (recipient.a) { %>yes<% } else { %>no<% } %>", "yes"),
        ("<% for (var i = 0; i < 3; i++) { %><%= i %>,<% } %>", "0,1,2,"),
        ("<% function twice(x) { %>[<%= x %><%= x %>]<% } twice('a'); twice(2) %>", "[aa][22]"),
        ("<% var n = 0 %>a<% n++ %><% return %>b", "a"),
        ("<% // a note %>a<% /* another */ %>b", "ab"),
        ("<%= recipient.a /* a note */ %><%= recipient.a // another\n%>", "xx"),
        ("<%= null %><%= undefined %><%= recipient.nothing %>", ""),
        ("<%= 0 %><%= false %><%= 1.5 %><%= [1,2] %>", "0false1.51,2"),
        ("<% let recipient = {a: 'other'} %><%= recipient.a %>", "other"),
        ("<% for (const recipient of [{a: 1}, {a: 2}]) { %><%= recipient.a %><% } %>", "12"),
        ("<%= recipient['a'] + recipient?.a %>", "xx"),
        ("<%= message.id %>", "300"),
        ("<%= delivery.label.length %> <%= delivery.tags[1] %>", "4 b"),
        ("<%= `${recipient.a}\r\n!` %>", "x\n!"),
    ],
)
def test_what_scripts_write(text: str, written: str) -> None:
    """Conditions, loops and functions of JavaScript decide what is written."""
    preparation = Preparation(delivery={"label": "News", "tags": ["a", "b"]})

    assert written == _written(text, preparation, a="x")


def test_first_end() -> None:
    """The first `%>` ends a script, also inside a text of its code."""
    with pytest.raises(InvalidContent, match="text line 1, column 6: This script"):
        _written('<%= "50 %> off" %>')
    assert "50 %>" == _written("<%= '50 %' + '>' %>")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("<% x() %>", "line 1, column 5"),
        ("\n\n  <%= recipient.a.b.c %>", "line 3, column 7"),
        ("<%\n\n   null.x %>", "line 3, column 4"),
        ("<%\r\n\r\n   null.x %>", "line 3, column 4"),
        ("<% function f() {\n%>text\n<%=\n  null.x %><% }\nf() %>", "line 4, column 3"),
        ("<%= formatDate('no', '%Y') %>", "line 1, column 6"),
        ("<a> <% throw new Error('a\\nb') %>", "line 1, column 19"),
        ("<% a b %>", "line 1, column 7"),
        ("<%= 1 + %>", "line 1, column 6"),
        ("<% /* %>", "line 1, column 5"),
        ("<% { %>", "line 1, column 5"),
        ("<%= 1)) ; ((2 %>", "line 1, column 8"),
    ],
)
def test_places_of_errors(text: str, place: str) -> None:
    """An error names line and column of the author's own text."""
    with pytest.raises(InvalidContent) as caught:
        _written(text, a="x")

    assert f"text {place}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<%= null.x %>", "for this recipient: TypeError: cannot read property 'x' of null."),
        ("<% throw 'no lamp' %>", "for this recipient: no lamp."),
        ("<% throw new Error('two\\nlines') %>", "for this recipient: Error: two lines."),
        ("<% function f() { f() } f() %>", "it calls itself without end."),
        ("<% recipient.a = 1 %>", "object is not extensible."),
        ("<% delivery.list.push(1) %>", "object is not extensible."),
        ("<%= formatNumber('x') %>", "RangeError: formatNumber: x is no number."),
        ("<% $out[0] = 99 %>", "names that begin with $ are not its own."),
        ("<% $out.push('x') %>", "names that begin with $ are not its own."),
        ("<% while (true) { %>xxxxxxxxxx<% } %>", "took more than 64 MiB of memory"),
        ("<% for (var i = 0; i < 600; i++) { %>" + "x" * 10_000 + "<% } %>", "5,000,000 char"),
    ],
)
def test_sentences_of_errors(text: str, problem: str) -> None:
    """What is wrong is said in one sentence."""
    with pytest.raises(InvalidContent) as caught:
        _written(text, Preparation(delivery={"list": [1]}, seconds_max=0))

    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "script",
    [
        "leak = 1",
        "globalThis.leak = 1",
        "this.leak = 1",
        "Array.prototype.leak = 1",
        "Object.prototype.leak = 1",
        "({}).__proto__.leak = 1",
        "String.prototype.trim = function () { return 'leak' }",
        "Math.random = function () { return 0 }",
        "formatDate = null",
        "formatDate.leak = 1",
        "(function* () {})().__proto__.__proto__.leak = 1",
        "(async function () {}).__proto__.leak = 1",
        "new Map().values().__proto__.leak = 1",
        "/x/.__proto__.leak = 1",
        "Object.getPrototypeOf(Object.getPrototypeOf([].values())).leak = 1",
        "Date.leak = 1",
        "JSON.parse = null",
        "delete Array.prototype.map; leaked()",
        "delivery.list.leak = 1",
        "eval('leak = 1')",
        "new Function('leak = 1')()",
        "(function () {}).constructor('leak = 1')()",
        "$begin.leak = 1",
    ],
)
def test_nothing_is_left(script: str) -> None:
    """What one recipient's script changes is refused, and the next one's result is its own."""
    probe = (
        "<%= typeof leak %><%= [].leak %><%= 'a'.leak %><%= ' b '.trim() %><%= /x/.leak %>"
        "<%= Date.leak %><%= new Map().values().leak %><%= delivery.list.leak %>"
        "<%= [1].map(String) %><%= formatDate.leak %><%= typeof JSON.parse %>"
    )
    template = _template(
        f"<% if (recipient.bad) {{ {script} }} %>{probe}", Preparation(delivery={"list": [1]})
    )
    before = _render(template).text

    with pytest.raises(InvalidContent):
        _render(template, bad="1")

    assert "undefinedb1function" == before == _render(template).text


def test_words_of_every_kind_can_be_counted() -> None:
    """An object can be used as a list of words, also of words that objects inherit."""
    text = "<% var n = {}; n['toString'] = 1; n.constructor = 2 %><%= n.toString + n.constructor %>"

    assert "3" == _written(text)


@pytest.mark.parametrize(
    "script",
    [
        "for (;;);",
        "new Array(1e9).join('x')",
        "Array(4e9).fill(1)",
        "var a = []; a.length = 4e9; a.join('x')",
        "var a = []; a.length = 4e9; a.indexOf(1)",
        "var a = []; a[4e9 - 1] = 1; a.sort()",
        "var a = []; a.length = 4e9; new Set(a)",
        "var a = []; a.length = 4e9; [].concat(a)",
        "var a = []; a.length = 4e9; [[a]].flat(9)",
        "[1].flatMap(function () { var a = []; a.length = 4e9; return a })",
        "Array.from({length: 1e9})",
        "Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)",
        "'x'.repeat(1e9)",
        "'x'.padStart(1e9)",
        "'x'.padEnd(2 ** 31)",
        "var a = 'a'.repeat(4e6); a.indexOf(a.slice(9, 2e6) + 'b')",
        "var a = 'a'.repeat(4e6); a.replaceAll(a.slice(9, 2e6) + 'b', 'c')",
        "/(a+)+$/.test('a'.repeat(40) + 'b')",
        "[].values().drop(2 ** 53 - 1).next()",
        "while (true) try { for (;;); } catch (e) {}",
        "String.raw({raw: {length: 2 ** 53 - 1}})",
        "JSON.stringify((function () { var a = []; a.length = 4e9; return a })())",
        "var s = 'x'; for (;;) s += s",
        "var a = []; for (;;) a.push(a.length)",
    ],
)
def test_nothing_runs_for_ever(script: str) -> None:
    """Neither the author's loops nor those inside the engine outlive the limits by much."""
    template = _template(
        f"<% if (recipient.bad) {{ {script} }} %>fine",
        Preparation(seconds_max=0.2, memory_bytes_max=16 * 1024 * 1024),
    )
    begin = perf_counter()

    with pytest.raises(InvalidContent):
        _render(template, bad="1")

    assert perf_counter() - begin < PATIENCE_S
    assert "fine" == _render(template).text


def test_limits_are_named() -> None:
    """A limit that was met is named, with the part; the part was all that could be known."""
    with pytest.raises(InvalidContent, match=r"text: .* it took longer than 0\.1 seconds"):
        _written("<% for (;;); %>", Preparation(seconds_max=0.1))
    with pytest.raises(InvalidContent, match=r"it took more than 2 MiB of memory"):
        _written(
            "<% var a = []; for (;;) a.push('x' + a.length) %>",
            Preparation(memory_bytes_max=2 * 1024 * 1024),
        )
    with pytest.raises(InvalidContent, match=r"it took more than 0\.0625 MiB of memory"):
        _written("<%= 1 + 1 %>", Preparation(memory_bytes_max=64 * 1024))


def test_no_time_limit() -> None:
    """A limit of 0 seconds is none."""
    text = "<% var n = 0; for (var i = 0; i < 300000; i++) n += i %><%= n %>"

    assert "44999850000" == _written(text, Preparation(seconds_max=0))
    with pytest.raises(InvalidContent, match=r"took longer than 0\.001 seconds"):
        _written(text, Preparation(seconds_max=0.001))


def test_time_stands_still() -> None:
    """Scripts take the time they are told for now, in UTC, whatever the clock's zone."""
    at = AT.astimezone(timezone(timedelta(hours=9)))
    text = (
        "-<%= new Date().toISOString() %> <%= Date.now() === +getCurrentDate() %>"
        " <%= new Date().getHours() %> <%= new Date().getTimezoneOffset() %>"
        " <%= formatDate(new Date(2026, 2, 5), '%4Y-%2M-%2D') %>"
        " <%= new Date('2026-03-05 10:00:00').toISOString() %>"
    )

    assert (
        "-2026-03-05T09:30:15.250Z true 9 0 2026-03-05 2026-03-05T10:00:00.000Z"
        == _render(_template(text), at=at).text
    )


def test_now_is_now_unless_told() -> None:
    """Without a time, scripts see the time of the machine."""
    template = _template("<%= new Date().getFullYear() > 2024 %>")

    assert "true" == template.render({}, message_id=MESSAGE_ID, keys=KEYS).text


def test_chance_is_that_of_the_message() -> None:
    """A message is written the same however often, each part from the same chance."""
    text = "<%= Math.random() %>"
    template = compile_message(
        Source(text, text=text), delivery_id=DELIVERY_ID, addresses=ADDRESSES
    )
    first, other, again = (
        _render(template, message_id=MessageId(number)) for number in (300, 301, 300)
    )

    assert first == again
    assert first.subject == first.text
    assert first.text != other.text
    numbers = [
        float(_render(template, message_id=MessageId(number)).subject) for number in range(1, 1001)
    ]
    assert all(0 <= number < 1 for number in numbers)
    assert 450 < sum(number < 0.5 for number in numbers) < 550


def test_large_ids() -> None:
    """An id beyond what JavaScript counts exactly is a text."""
    assert (
        "9223372036854775807"
        == _render(_template("<%= message.id + '' %>"), message_id=MessageId(2**63 - 1)).text
    )


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("formatDate('2000-01-24', '%4Y/%2M/%2D')", "2000/01/24"),
        ("formatDate('2000-01-04', '%D/%M/%Y %1D-%1M-%2Y')", "4/1/2000 4-1-00"),
        ("formatDate('2000-01-24', '%A %D %B %4Y|%Al %Bl|%Ai %Bli')", "Mon 24 Jan 2000|Monday January|Mon January"),  # noqa: E501
        ("formatDate('2000-01-24 00:07:09', '%02H:%02N:%02S %2I%P')", "00:07:09 12AM"),
        ("formatDate('2000-12-31', '%J %W %%D')", "366 52 %D"),
        ("formatDate('2021-01-01', '%W') + formatDate('2020-12-31', '%W')", "5353"),
        ("formatDate('2026-03-05T23:30:00-02:00', '%2D %2H')", "06 01"),
        ("formatDate('2026-03-05 10:00:00.123Z', '%2H')", "10"),
        ("formatDate(new Date(0), '%4Y')", "1970"),
        ("formatDate(0, '%4Y')", "1970"),
        ("formatDate('', '%4Y') + formatDate(null, '%4Y')", ""),
        ("formatNumber(1234567.891, 2)", "1,234,567.89"),
        ("formatNumber('-1234567', 0, ' ')", "-1 234 567"),
        ("formatNumber(999)", "999"),
        ("formatNumber('')", ""),
        ("toSmartCase(\"jean-luc O'NEILL it's ÉMILE\")", "Jean-Luc O'Neill It's Émile"),
        ("toSmartCase(null)", ""),
        ("toUpperCase('straße') + toLowerCase('ÀB')", "STRASSEàb"),
        ("daysDiff('2026-03-01', '2026-02-28')", "1"),
        ("daysDiff('2026-03-01 00:00:01', '2026-02-28 23:59:59')", "1"),
        ("escapeXmlStr(`<a b=\"c\">'&`)", "&lt;a b=&quot;c&quot;&gt;&#x27;&amp;"),
        ("escapeXml('<') + escapeHtml('<')", "&lt;&lt;"),
        ("parseTimeStamp('2026-03-05').getUTCDate()", "5"),
    ],
)  # fmt: skip
def test_functions(expression: str, written: str) -> None:
    """The functions of the field do what its documentation says."""
    assert written == _written(f"<%= {expression} %>")


@pytest.mark.parametrize(
    "expression",
    [
        "formatDate('yesterday', '%Y')",
        "formatDate('2026-02-30', '%Y')",
        "formatDate('2026-03-05 25:00', '%Y')",
        "formatDate('2026-03-05', '%Y', 'Europe/Paris')",
        "formatNumber('1,5')",
        "daysDiff('2026-03-05')",
        "parseTimeStamp('')",
    ],
)
def test_what_is_no_date(expression: str) -> None:
    """What is no date or number, or a zone that is not known, fails for the recipient alone."""
    with pytest.raises(InvalidContent, match=r"failed for this recipient: (Range|Type)Error"):
        _written(f"<%= {expression} %>")


@given(st.text())
@example("é ~-._!'()*/\udfff\ud83d\ude00")
def test_escape_url(value: str) -> None:
    """`escapeUrl` writes what Python's own percent-encoding writes.

    Killed mutant: `'` left to itself.
    """
    expected = quote(value.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), safe="")
    text = _written("<%= '' + escapeUrl(recipient.a) %>", a=value)

    assert expected.replace("%EF%BF%BD", "%3F") == text.replace("%EF%BF%BD", "%3F")


def test_values_of_any_type() -> None:
    """Scripts see numbers, texts and nothing as such; all else as Python spells it."""
    text = (
        "<%= typeof recipient.n %> <%= recipient.d + '' %> <%= recipient.x === null %>"
        "|<%= recipient.f + '' %>"
    )

    assert "number 2026-03-05 09:30:15.250000+00:00 true|NaN" == _written(
        text, n=7, d=AT, x=None, f=float("nan")
    )


def test_fields() -> None:
    """A template names the fields that its scripts mention, wherever they stand."""
    template = compile_message(
        Source(
            "<%= recipient.a.trim() %>",
            "<% if (recipient?.b) { %>"
            '<a href="https://x.example/?q=<%= escapeUrl(recipient.c + 1) %>">'
            '<% } %>x<%= recipient["d"] %></a>',
        ),
        delivery_id=DELIVERY_ID,
        addresses=ADDRESSES,
        preparation=Preparation(click_formula="<%= recipient.e ? trackingUrl : '' %>"),
    )

    assert {"a", "b", "c", "d", "e"} == template.fields


def test_values_of_links() -> None:
    """A link's token carries what the script gave, percent-decoded once."""
    text = (
        "<% for (const i of [1, 2]) { %>https://x.example/?q=<%= escapeUrl('a&b%41' + i) %> <% } %>"
    )

    assert [("a&b%411",), ("a&b%412",)] == [token.values for token in tokens(_written(text))]


def test_threads() -> None:
    """Each thread has an engine of its own."""
    template = _template(
        "<% var n = 0; for (var i = 0; i < 2000; i++) n += 1 %><%= recipient.a + n %>"
    )
    results: dict[int, str | None] = {}

    def work(number: int) -> None:
        for _ in range(20):
            results[number] = _render(template, a=f"{number}:").text

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {number: f"{number}:2000" for number in range(4)} == results


def test_many_templates() -> None:
    """A thread that goes through many messages keeps few engines, and all work."""
    templates = [_template(f"<%= recipient.a + {number} %>") for number in range(7)]

    for _ in range(2):
        assert [f"x{number}" for number in range(7)] == [
            _render(template, a="x").text for template in templates
        ]


@pytest.mark.parametrize("kind", ["throw", "loop", "memory", "stack"])
def test_the_next_recipient_is_fine(kind: str) -> None:
    """A script that fails for one recipient writes the next one's message as ever."""
    template = _template(
        "<% if (recipient.kind == 'throw') throw new Error('x');"
        " if (recipient.kind == 'loop') for (;;);"
        " var a = []; if (recipient.kind == 'memory') for (;;) a.push('x' + a.length);"
        " function f() { f() } if (recipient.kind == 'stack') f(); %>fine",
        Preparation(seconds_max=0.3, memory_bytes_max=8 * 1024 * 1024),
    )

    for _ in range(2):
        with pytest.raises(InvalidContent):
            _render(template, kind=kind)
        assert "fine" == _render(template).text
