"""Rich text: what is accepted, what HTML it becomes, and that nothing hostile gets through."""

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaicms.kit import richtext
from scaicms.kit.richtext.schema import MARKS, NODES

SAFE_ADDRESS = re.compile(r"(https?:|mailto:|[^:]*$|[^:/?#]*[/?#])", re.IGNORECASE)


def doc(*content):
    return {"type": "doc", "content": list(content)}


def paragraph(*content):
    return {"type": "paragraph", "content": list(content)}


def text(words, *marks):
    return {"type": "text", "text": words, "marks": list(marks)}


def link(href):
    return doc(paragraph(text("x", {"type": "link", "attrs": {"href": href}})))


@pytest.mark.parametrize(
    ("document", "html"),
    [
        (doc(), ""),
        (doc(paragraph(text("a < b & c"))), "<p>a &lt; b &amp; c</p>"),
        (doc(paragraph(text("x", {"type": "strong"}, {"type": "italic"}))), "<p><strong><em>x</em></strong></p>"),
        (doc({"type": "heading", "attrs": {"level": 3}, "content": [text("x")]}), "<h3>x</h3>"),
        (
            doc({"type": "bulletList", "content": [{"type": "listItem", "content": [paragraph(text("x"))]}]}),
            "<ul><li><p>x</p></li></ul>",
        ),
        (
            doc({"type": "ordered_list", "attrs": {"order": 3}, "content": [
                {"type": "list_item", "content": [paragraph(text("x"))]}]}),
            '<ol start="3"><li><p>x</p></li></ol>',
        ),
        (
            doc({"type": "code_block", "attrs": {"language": "py"}, "content": [text("<b>")]}),
            '<pre><code class="language-py">&lt;b&gt;</code></pre>',
        ),
        (doc({"type": "horizontal_rule"}, paragraph({"type": "hard_break"})), "<hr><p><br></p>"),
        (
            doc({"type": "table", "content": [{"type": "table_row", "content": [
                {"type": "table_header", "attrs": {"colspan": 2}, "content": [paragraph(text("x"))]}]}]}),
            '<table><tbody><tr><th colspan="2"><p>x</p></th></tr></tbody></table>',
        ),
        (doc({"type": "image", "attrs": {"src": "/a.png", "alt": '"><script>'}}),
         '<img src="/a.png" alt="&quot;&gt;&lt;script&gt;">'),
        (link("https://example.com/?a=1&b=2"),
         '<p><a href="https://example.com/?a=1&amp;b=2" rel="noopener noreferrer">x</a></p>'),
        (doc({**paragraph(text("x")), "attrs": {"textAlign": "center"}}), '<p style="text-align:center">x</p>'),
    ],
)  # fmt: skip
def test_documents_become_html(document, html):
    assert richtext.problems(document) == []
    assert richtext.to_html(document).replace("text-align: center", "text-align:center") == html


@pytest.mark.parametrize("href", ["/a", "a/b", "#x", "?q=1:2", "./a:b", "HTTP://x", "mailto:a@b.c", "//host/x"])
def test_links_may_lead_anywhere_that_only_leads(href):
    assert richtext.problems(link(href)) == []


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,<script>",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:x",
        "a:b",
        "\\\\host\\x",
        "",
        5,
        None,
        "x" * 2001,
    ],
)
def test_links_that_could_act_are_refused_where_they_stand(href):
    found = richtext.problems(link(href))
    assert [problem.place for problem in found] == [("content", 0, "content", 0, "marks", 0, "attrs", "href")]


@pytest.mark.parametrize(
    ("document", "place", "code"),
    [
        ([], (), "node_type"),
        ({}, ("type",), "unknown_node"),
        ({"type": "paragraph"}, ("type",), "misplaced_node"),
        (doc({"type": "script"}), ("content", 0, "type"), "unknown_node"),
        (doc({"type": ["doc"]}), ("content", 0, "type"), "unknown_node"),
        (doc(text("loose")), ("content", 0, "type"), "misplaced_node"),
        (doc(paragraph(paragraph())), ("content", 0, "content", 0, "type"), "misplaced_node"),
        (doc({"type": "bullet_list"}), ("content", 0, "content"), "required"),
        (doc({"type": "horizontal_rule", "content": [1]}), ("content", 0, "content"), "invalid_content"),
        (doc({"type": "paragraph", "content": {}}), ("content", 0, "content"), "invalid_content"),
        (doc({"type": "heading", "attrs": {"level": 7}}), ("content", 0, "attrs", "level"), "invalid_attribute"),
        (doc({"type": "heading", "attrs": {"level": True}}), ("content", 0, "attrs", "level"), "invalid_attribute"),
        (doc({"type": "heading", "attrs": {"onclick": "x"}}), ("content", 0, "attrs", "onclick"), "unknown_field"),
        (doc({"type": "paragraph", "html": "<b>"}), ("content", 0, "html"), "unknown_field"),
        (doc({"type": "image"}), ("content", 0, "attrs", "src"), "required"),
        (doc(paragraph(text(""))), ("content", 0, "content", 0, "text"), "invalid_text"),
        (doc(paragraph(text("\0"))), ("content", 0, "content", 0, "text"), "invalid_text"),
        (doc(paragraph(text("x", {"type": "blink"}))), ("content", 0, "content", 0, "marks", 0), "unknown_mark"),
        (doc(paragraph(text("x", *[{"type": "em"}] * 11))), ("content", 0, "content", 0, "marks"), "invalid_marks"),
        (doc({"type": "code_block", "content": [text("x", {"type": "em"})]}),
         ("content", 0, "content", 0, "marks"), "invalid_marks"),
        (doc({**paragraph(), "marks": [{"type": "em"}]}), ("content", 0, "marks"), "invalid_marks"),
    ],
)  # fmt: skip
def test_what_is_no_rich_text_is_refused_where_it_stands(document, place, code):
    assert [(problem.place, problem.code) for problem in richtext.problems(document)] == [(place, code)]


def test_size_is_bounded_in_every_direction():
    deep = paragraph()
    for _ in range(richtext.MAX_DEPTH):
        deep = {"type": "blockquote", "content": [deep]}
    wide = doc(*[paragraph()] * (richtext.MAX_NODES + 5))
    long = doc(paragraph(text("x" * (richtext.MAX_TEXT + 1))))
    started = time.monotonic()
    for document, code in ((doc(deep), "too_deep"), (wide, "too_many_nodes"), (long, "too_long")):
        assert [problem.code for problem in richtext.problems(document)] == [code]
    wrong = richtext.problems(doc(*[{"type": "x"}] * 100_000))
    assert len(wrong) <= 20
    assert time.monotonic() - started < 5


def test_the_words_are_found_with_blocks_on_lines_of_their_own():
    document = doc(
        {"type": "heading", "content": [text("One"), text(" more", {"type": "em"})]},
        {"type": "bullet_list", "content": [{"type": "list_item", "content": [paragraph(text("two"))]}]},
        paragraph({"type": "image", "attrs": {"src": "/x", "alt": "three"}}, {"type": "hard_break"}, text("four")),
    )
    assert richtext.to_text(document) == "One more\ntwo\nthree four"


HOSTILE = st.sampled_from(
    [
        "<script>alert(1)</script>",
        '" onload="x',
        "javascript:x",
        "</code><img src=x onerror=y>",
        "&#106;avascript:x",
        "]]>",
        "<!--",
        "<style>",
        "style",
        "{{7*7}}",
        "\u202e",
        "'",
        "\x00",
        "data:text/html,x",
    ]
)
NAMES = st.sampled_from([*NODES, *MARKS, "bulletList", "script", "iframe", "svg"])
VALUES = st.none() | st.booleans() | st.integers() | HOSTILE | st.text(max_size=8)
ATTRS = st.dictionaries(
    st.sampled_from(
        ["href", "src", "alt", "title", "class", "level", "language", "textAlign", "onclick", "style", "id"]
    ),
    VALUES,
    max_size=4,
)
MARK = st.fixed_dictionaries({"type": NAMES}, optional={"attrs": ATTRS})
NODE = st.recursive(
    st.fixed_dictionaries(
        {"type": NAMES},
        optional={"text": HOSTILE | st.text(min_size=1), "attrs": ATTRS, "marks": st.lists(MARK, max_size=3)},
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": NAMES, "content": st.lists(inner, max_size=4)}, optional={"attrs": ATTRS}
    ),
    max_leaves=12,
)


class Audit(HTMLParser):
    """Fails on anything that could act."""

    ALLOWED = frozenset(
        [
            "p",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "blockquote",
            "ul",
            "ol",
            "li",
            "pre",
            "code",
            "hr",
            "br",
            "img",
            "a",
            "table",
            "tbody",
            "tr",
            "td",
            "th",
            "strong",
            "em",
            "u",
            "s",
            "sub",
            "sup",
            "mark",
        ]
    )

    def __init__(self):
        super().__init__()
        self.words = ""

    def handle_starttag(self, tag, attrs):
        assert tag in self.ALLOWED, tag
        for key, value in attrs:
            assert not key.startswith("on"), key
            if key in ("href", "src"):
                assert SAFE_ADDRESS.match(value), value
            if key == "style":
                assert re.fullmatch(r"text-align: ?\w+;?", value), value

    def handle_comment(self, data):
        raise AssertionError(data)

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize("align", [-1, "middle", ["left"], {"left": 1}])
def test_an_alignment_that_nobody_knows_is_no_style(align):
    assert richtext.to_html(doc({**paragraph(text("x")), "attrs": {"textAlign": align}})) == "<p>x</p>"


@given(st.lists(NODE, max_size=4))
def test_no_document_of_anybody_s_making_becomes_html_that_acts(content):
    document = doc(*content)
    richtext.problems(document)
    # Rendered whether or not it was accepted: the second barrier holds without the first.
    audit = Audit()
    audit.feed(richtext.to_html(document))


INLINE = st.builds(
    text,
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
    | HOSTILE.filter(lambda t: "\0" not in t),
    st.sampled_from([{"type": "strong"}, {"type": "link", "attrs": {"href": "/x"}}, {"type": "code"}]),
)
BLOCK = st.recursive(
    st.builds(paragraph, INLINE, INLINE)
    | st.builds(lambda t: {"type": "code_block", "content": [{**t, "marks": []}]}, INLINE),
    lambda inner: (
        st.builds(lambda blocks: {"type": "blockquote", "content": blocks}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(
            lambda blocks: {"type": "bullet_list", "content": [{"type": "list_item", "content": [b]} for b in blocks]},
            st.lists(inner, min_size=1, max_size=3),
        )
    ),
    max_leaves=8,
)


@given(st.lists(BLOCK, min_size=1, max_size=4))
def test_every_word_of_a_good_document_arrives(content):
    document = doc(*content)
    assert richtext.problems(document) == []
    audit = Audit()
    audit.feed(richtext.to_html(document))
    assert audit.words == richtext.to_text(document).replace("\n", "")
