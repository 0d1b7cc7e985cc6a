"""Markdown to HTML, text and headings."""

import time

import pytest

from scaicms.kit import markdown
from scaicms.kit.html_bounds import MAX_ATTRIBUTES, MAX_NESTING


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*a* **b** ~~c~~ `d`", "<p><em>a</em> <strong>b</strong> <del>c</del> <code>d</code></p>\n"),
        ("# A *b* & c", '<h1 id="a-b--c">A <em>b</em> &amp; c</h1>\n'),
        ("# Über uns\n# Über uns", '<h1 id="über-uns">Über uns</h1>\n<h1 id="über-uns-1">Über uns</h1>\n'),
        ("# !", "<h1>!</h1>\n"),
        ('<h2 id="own">x</h2>', '<h2 id="own">x</h2>'),
        ("```rust\nlet x = 1 < 2;\n```", '<pre><code class="language-rust">let x = 1 &lt; 2;\n</code></pre>\n'),
        ("[a](https://e.org 'T')", '<p><a href="https://e.org" title="T" rel="noopener noreferrer">a</a></p>\n'),
        ("[a](javascript:x)", '<p><a rel="noopener noreferrer">a</a></p>\n'),
        ("<script>alert(1)</script>\n\nb", "\n<p>b</p>\n"),
        ('<img src=x onerror="y">', '<img src="x">'),
    ],
)
def test_markdown_becomes_safe_html(text, html):
    assert markdown.to_html(text) == html


def test_tables_and_footnotes_are_rendered():
    html = markdown.to_html("|a|b|\n|-|:-:|\n|1|2|\n\nSee[^1].\n\n[^1]: There.\n")
    assert '<th style="text-align:center">b</th>' in html.replace("text-align: center", "text-align:center")
    assert '<a href="#1"' in html
    assert 'id="1"' in html


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# A *b*\n\nc [d](https://e.org) `f` &amp; g", "A b c d f & g"),
        ("|a|b|\n|-|-|\n|c|d|", "a b c d"),
        ("a<br>b **c**d", "a b cd"),
        ("<script>x</script><b title='t'>y</b>", "y"),
        ("```js\nlet x = 1 < 2\n```", "let x = 1 < 2"),
    ],
)
def test_text_is_the_words_alone(text, words):
    assert markdown.to_text(text) == words


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("a\n\n## B `c` & d\n\n# E", "B c & d"),
        ("Title\n=====", "Title"),
        ("#\n\n# <b>x</b>", "x"),
        ("```\n# no\n```", None),
        ("", None),
    ],
)
def test_the_first_heading_with_words_is_found(text, heading):
    assert markdown.first_heading(text) == heading


HIDDEN = "<div>" * 30_000
HOSTILE = {
    "elements": HIDDEN,
    "quotes of Markdown": ">" * 30_000 + "a",
    "after a quoted bracket": '<div a="<">' * 30_000,
    "after a quote that is a name": '<div ">' + HIDDEN,
    "after an empty comment": "<div><!-->" + HIDDEN,
    "after a script that opens a quote": '<div>\n<script><a x="</script>' + HIDDEN,
    "in a style of SVG": '<div>\n<script><a x="</script><svg><style>' + "<a>" * 30_000,
    "attributes": "<a " + " ".join(f"a{n}" for n in range(30_000)) + ">",
    "attributes after a quoted bracket": '<a x="<" y=">" ' + " ".join(f"a{n}" for n in range(30_000)) + ">",
}


@pytest.mark.parametrize("hidden", HOSTILE)
def test_what_would_take_long_is_refused_and_shown_as_it_is(hidden):
    assert markdown.problem(HOSTILE[hidden]) is not None
    assert markdown.to_html(HOSTILE[hidden]).startswith("<pre>")


UNCLOSED = ["<a ", '<a "', "<a = ", "<!-", "<!--", "</b>", "<b", "*a ", "[", "`", "<a href='", "&amp;", "<p><b></b>"]


@pytest.mark.parametrize("piece", UNCLOSED)
def test_no_text_takes_long(piece):
    text = ("<div>\n" + piece * 300_000)[:300_000]
    started = time.process_time()
    markdown.problem(text), markdown.to_html(text), markdown.to_text(text), markdown.first_heading(text)
    # Some 0.2 s; what goes with the square of the length takes minutes.
    assert time.process_time() - started < 10


def test_what_people_write_is_within_bounds():
    nested = "".join("  " * level + "- item\n" for level in range(MAX_NESTING // 4)) * 50
    attributes = '<p class="' + "c " * 500 + '" ' + " ".join(f"a{n}" for n in range(MAX_ATTRIBUTES - 10)) + ">x</p>\n\n"
    long = "A paragraph with <b>bold</b> and <br> line breaks.\n\n" * 5000
    for text in (nested, attributes * 30, long):
        assert markdown.problem(text) is None
        assert not markdown.to_html(text).startswith("<pre>")
