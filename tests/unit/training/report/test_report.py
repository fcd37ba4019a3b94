"""The page as a whole: it stands alone, is well formed, safe, and the same every time."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise

import msgspec
import pytest

from placar.package.manifest import Importance, Manifest, ScoreScale
from placar.signature.model import SetAside, Target
from placar.training.evaluation import BandRow, Evaluation, ReliabilityBin
from placar.training.report import render_report
from placar.training.report.page import SECTIONS, command, score_of_probability
from placar.training.report.words import NOTHING
from unit.training.report.factories import (
    a_category,
    a_manifest,
    a_number,
    a_signature,
    an_evaluation,
    many_features,
    some_metrics,
    some_scored,
)

HOSTILE = "<script>alert('x')</script>&\"><img src=x onerror=alert(1)>"
VOID = {"meta", "br", "img", "link", "input"}


class Page(HTMLParser):
    """Checks nesting while it collects what the tests ask about."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.headings: list[int] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]


def rendered(manifest: Manifest | None = None, evaluation: Evaluation | None = None) -> Page:
    return Page(render_report(manifest or a_manifest(), evaluation or an_evaluation()))


def holes(page: Page) -> list[str]:
    """Return what a missing figure looks like when nobody thought of it."""
    drawn = [value for tag, _, value in page.attributes if tag in {"rect", "line", "path", "text"}]
    text = page.text.replace("NaN, nan and null count as missing", "")
    return re.findall(r"\b(?:nan|inf|None)\b", " ".join([text, *drawn]))


def hostile_page() -> Page:
    signature = a_signature(
        features=(a_category(HOSTILE, HOSTILE, "\u202egnp.exe", "a\x00b\ud800"),),
        target=Target(name=HOSTILE, positive="</style>", negative="</svg>"),
    )
    aside = (SetAside(name=HOSTILE, reason="constant", detail=HOSTILE),)
    signature = msgspec.structs.replace(signature, set_aside=aside)
    manifest = a_manifest(signature, importance=(Importance(feature=HOSTILE, share=1.0),))
    training = msgspec.structs.replace(manifest.training, settings={HOSTILE: HOSTILE})
    manifest = msgspec.structs.replace(manifest, model=HOSTILE, training=training)
    return rendered(manifest, an_evaluation(notes=(HOSTILE,)))


def test_every_element_is_closed() -> None:
    assert rendered().open == []


def test_same_input_gives_same_bytes() -> None:
    assert rendered().html == rendered().html


def test_nothing_is_loaded_and_nothing_runs() -> None:
    page = rendered()

    assert not {"script", "link", "img", "iframe", "object", "use", "image"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert all(value.startswith("#") for value in page.values("href"))
    assert page.values("src") == page.values("style") == []
    assert not re.search(r"url\(|@import|@font-face|https?:|//", page.html)


def test_sections_come_in_order_each_with_a_link_to_it() -> None:
    page = rendered()

    places = [page.html.index(f'<section id="{section.name}"') for section in SECTIONS]

    assert places == sorted(places)
    assert page.values("href") == [f"#{section.name}" for section in SECTIONS]


def test_headings_do_not_skip_a_level() -> None:
    headings = rendered().headings

    assert headings.count(1) == 1
    assert all(low - high <= 1 for high, low in pairwise(headings))


def test_language_and_charts_are_told_to_screen_readers() -> None:
    page = rendered()
    charts = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "role")]
    ids = page.values("id")
    referred = [one for value in page.values("aria-labelledby") for one in value.split()]

    assert page.values("lang") == ["en"]
    assert charts == ["img"] * 5
    assert page.tags["title"] == 1 + len(charts)
    assert page.tags["desc"] == len(charts)
    assert len(ids) == len(set(ids))
    assert set(referred) <= set(ids)


def test_names_from_the_table_are_escaped() -> None:
    page = hostile_page()

    assert page.open == []
    assert not {"script", "img"} & set(page.tags)
    assert page.tags["style"] == 1
    assert page.html.count("</style>") == 1
    assert HOSTILE in page.text


def test_unseen_characters_are_made_visible() -> None:
    html = hostile_page().html

    assert not {"\x00", "\u202e"} & set(html)
    assert html.encode("utf-8").decode("utf-8") == html
    assert "a\ufffdb\ufffd" in html


def test_target_is_named_as_in_the_table() -> None:
    text = rendered().text

    assert "one with Status = bad and one with Status = good" in text


def test_columns_set_aside_are_listed_with_their_reason() -> None:
    text = rendered().text

    assert "Loan number Looks like an identifier 4,454 distinct whole numbers." in text
    assert "Days late Left out on request" in text


def test_a_table_without_columns_set_aside_says_so() -> None:
    signature = msgspec.structs.replace(a_signature(), set_aside=())

    assert "None: every column but the target is a feature." in rendered(a_manifest(signature)).text


def test_provenance_is_complete() -> None:
    manifest = a_manifest()
    text = rendered(manifest).text

    training = manifest.training
    for part in (training.table_sha256, training.split, *training.settings, *training.libraries):
        assert part in text
    assert "34 cells of “Income” could not be read" in text


def test_two_hundred_features_stay_small() -> None:
    page = rendered(a_manifest(a_signature(many_features(200))))

    assert len(page.html.encode()) < 300_000
    assert page.html.count("<summary>180 more</summary>") == 2


def test_report_without_notes_settings_or_importance() -> None:
    manifest = a_manifest(importance=())
    training = msgspec.structs.replace(manifest.training, settings={}, libraries={})

    page = rendered(
        msgspec.structs.replace(manifest, training=training), an_evaluation(notes=(), members=())
    )

    assert "Nothing unusual came up." in page.text
    assert "No importance was recorded." in page.text


def test_one_feature() -> None:
    text = rendered(a_manifest(a_signature((a_number("Income"),)))).text

    assert "The model uses one feature only, “Income”." in text


@pytest.mark.parametrize("features", [1, 300])
@pytest.mark.parametrize("rows", [12, 400])
@pytest.mark.parametrize("rising", [True, False])
def test_any_size_is_drawn_without_a_hole(features: int, rows: int, *, rising: bool) -> None:
    manifest = a_manifest(
        a_signature(many_features(features)), scale=ScoreScale(rising=rising, base_odds=1 / 19)
    )
    evaluation = an_evaluation(
        some_scored(rows, strength=0.01), metrics=some_metrics(rows, auc=0.5, auc_low=0.2)
    )

    assert holes(rendered(manifest, evaluation)) == []


def test_empty_parts_are_shown_as_dashes() -> None:
    nothing = (0,) * 100
    evaluation = replace(
        an_evaluation(),
        roc=(),
        gain=(),
        bands=(BandRow("A", 0, 1000, 0, 0, math.nan),),
        reliability=(ReliabilityBin(0, math.nan, math.nan, 0.0, 1.0),),
        score_counts_positive=nothing,
        score_counts_negative=nothing,
        metrics=some_metrics(0, auc=math.nan, auc_low=math.nan, auc_high=math.nan, ece=math.nan),
    )

    page = rendered(evaluation=evaluation)

    assert f"A 0 to 1000 0 0 {NOTHING} {NOTHING} {NOTHING}" in page.text
    assert holes(page) == []


@pytest.mark.parametrize(
    ("probability", "rising", "score"),
    [(0.5, True, 500), (0.8, True, 600), (0.8, False, 400), (0.0, True, 0), (0.0, False, 1000)],
)
def test_score_of_probability(probability: float, score: int, *, rising: bool) -> None:
    assert (
        score_of_probability(ScoreScale(points_to_double=50, rising=rising), probability) == score
    )


def test_command_quotes_names_for_the_shell() -> None:
    signature = a_signature(target=Target(name="paid; rm -rf ~", positive="no", negative="yes"))

    assert command(a_manifest(signature)) == (
        "placar train TABLE --target 'paid; rm -rf ~' --positive no --name credit --budget 60s "
        "--seed 7 --drop 'Days late'"
    )


def _palettes() -> list[dict[str, str]]:
    css = resources.files("placar.training.report").joinpath("templates", "style.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    return [dict(re.findall(r"--(\w+): (#\w{6});", block)) for block in blocks]


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return sum(share * one for share, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("palette", _palettes())
def test_colours_have_enough_contrast(palette: dict[str, str]) -> None:
    """WCAG 2.2 AA: 4.5 for text, 3 for what must be seen in a chart."""
    for ground in (palette["paper"], palette["tint"]):
        for name, least in (
            ("ink", 4.5),
            ("muted", 4.5),
            ("model", 3.0),
            ("positive", 3.0),
            ("negative", 3.0),
        ):
            high, low = sorted((_luminance(palette[name]), _luminance(ground)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= least
