"""Pages for people: self-contained, and whatever data says in them is only text."""

from __future__ import annotations

from html.parser import HTMLParser

import matplotlib.pyplot as plt
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.pages import banner, facts, folded, marked, page, picture, section, table

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">"\'&'


class Tags(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def whole(text: str) -> str:
    return page(
        text,
        text,
        banner(text, "bad", text),
        section(text, text, table([text], [[text], [1], [0.5], [None], [True]], caption=text)),
        facts({text: text}),
        folded(text, text),
        section("colour", marked(text, "good")),
    )


@settings(deadline=None)
@given(st.text(min_size=1) | st.just(HOSTILE))
def test_text_stays_text(text: str) -> None:
    tags = Tags(whole(text))
    plain = [tag for tag, _ in Tags(whole("x")).found]
    assert [tag for tag, _ in tags.found] == plain
    assert not any(name.startswith("on") for _, attributes in tags.found for name in attributes)


def test_text_is_shown_as_it_is() -> None:
    assert Tags(whole(HOSTILE)).text.count("alert(1)") >= 7


def test_nothing_is_loaded_and_no_script_runs() -> None:
    text = whole("x")
    assert "default-src 'none'" in text
    assert "http" not in text.replace("http-equiv", "")


def test_numbers_stand_to_the_right() -> None:
    text = page("t", table(["n"], [[1234567], [0.123456], ["7"]]))
    assert '<td class="number">1,234,567</td>' in text
    assert '<td class="number">0.1235</td>' in text
    assert "<td>7</td>" in text


def test_a_picture_is_in_the_page_and_the_same_each_time() -> None:
    def drawn() -> str:
        figure, axes = plt.subplots()
        axes.plot([1, 2])
        markup = picture(figure, 'a "line"').markup
        plt.close(figure)
        return markup

    once = drawn()
    assert once == drawn()
    assert 'src="data:image/png;base64,' in once
    assert 'alt="a &quot;line&quot;"' in once
