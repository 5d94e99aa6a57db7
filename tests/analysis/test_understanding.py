"""What texts say: the learnt model, the lexicon, the reading of a mention, and `vigie score`."""

import gc
import gzip
import json
import subprocess
import sys
import weakref
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import evaluation, language, lexemes, pieces, reading, sentiment
from analysis.learned import features, labelled, train
from analysis.learned.model import Model, shipped
from analysis.lexicon import Lexicon
from analysis.phrases import Phrases, hashed
from analysis.tokens import cut
from tests.pipeline import SHARED

SIGNS = {"+": "positive", "-": "negative", "=": "neutral"}
LEAST = 0.8


def behaviour():
    """(phenomenon and language) → [(label, sentence)]"""
    cases = defaultdict(list)
    for line in Path(__file__).with_name("behaviour.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif line[:1] in SIGNS:
            cases[name].append((SIGNS[line[0]], line[2:]))
    return cases


@pytest.mark.parametrize(
    ("phenomenon", "cases"), sorted(behaviour().items()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_phenomenon_is_understood(phenomenon, cases):
    """Four in five of each phenomenon by the sign of the score; neither happy nor unhappy means so labelled."""
    spoken = phenomenon.split()[-1]
    read = reading.read_all([reading.Asked(text, hint=spoken if spoken in {"fr", "en"} else None) for _, text in cases])
    wrong = [
        (text, one.label, one.score)
        for (meant, text), one in zip(cases, read, strict=True)
        if (one.label != meant if meant == "neutral" else (one.score > 0) != (meant == "positive"))
    ]
    assert len(cases) - len(wrong) >= LEAST * len(cases), wrong


def test_a_text_that_turns_gives_each_theme_its_own_words():
    read = reading.read("Accueil charmant mais beaucoup trop cher.")
    said = {one.theme: one for one in read.themes}
    assert (said["service"].quote, said["service"].score > 0) == ("Accueil charmant", True)
    assert (said["price"].quote, said["price"].score < 0) == ("beaucoup trop cher.", True)
    assert read.mixed


@pytest.mark.parametrize(
    ("text", "happy", "theme", "quote"),
    [
        ("Malgré un accueil charmant, les chambres sont sales.", False, "service", "Malgré un accueil charmant"),
        ("Les chambres sont sales malgré un accueil charmant.", False, "service", "malgré un accueil charmant."),
        ("Bien que la salle soit bruyante, quel régal !", True, "ambience", "Bien que la salle soit bruyante"),
        ("Even though the waiter was lovely, the food was awful.", False, "service", "Even though the waiter was lovely"),
        ("The food was awful, although the staff were lovely.", False, "service", "although the staff were lovely."),
    ],
)  # fmt: skip
def test_what_is_conceded_weighs_less_and_keeps_its_own_words(text, happy, theme, quote):
    read = reading.read(text)
    assert (read.score > 0) == happy
    said = {one.theme: one for one in read.themes}[theme]
    assert (said.quote, said.score > 0) == (quote, not happy)


def test_a_comma_in_a_number_ends_no_concession():
    assert list(cut(["Malgré 1,5 km à pied, super."]).clauses()) == ["Malgré 1,5 km à pied", "super."]
    assert list(cut(["C'est bien que ce soit ouvert, merci."]).clauses()) == ["C'est bien que ce soit ouvert, merci."]


@pytest.mark.parametrize(
    ("thanks", "happy"),
    [
        ("Merci pour la soirée gâchée", False),
        ("Félicitations pour votre incompétence", False),
        ("Merci à toute l'équipe", True),
        ("Merci pour votre accueil malgré le retard", True),
        ("Congratulations on the worst service ever", False),
        ("Thank you for fixing my broken boiler", True),
    ],
)
def test_thanks_for_what_is_bad_is_no_praise(thanks, happy):
    assert (reading.read(thanks).score > 0) == happy


def test_but_turns_nothing_after_nothing():
    assert list(cut(["Nothing but praise, but slow."]).clauses()) == ["Nothing but praise", "but slow."]
    assert reading.read("We have nothing but praise for them.").score > 0.5


@pytest.mark.parametrize(
    ("text", "theme", "label"),
    [
        ("Il faudrait pouvoir payer par carte.", "price", "neutral"),
        ("Il faudrait pouvoir payer par carte, c'est scandaleux et inadmissible.", "price", "negative"),
    ],
)
def test_what_is_asked_for_is_no_complaint_unless_it_is_told_as_one(text, theme, label):
    assert {one.theme: one.label for one in reading.read(text).themes}[theme] == label


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("C'est bien trop cher.", -1), ("Les chambres sont bien sales.", -1), ("Une série bien pourrie.", -1),
        ("C'est bien long.", -1), ("Le serveur est bien gentil.", 1), ("C'est bien, merci.", 1), ("On mange bien.", 1),
    ],
)  # fmt: skip
def test_before_a_bad_word_bien_praises_nothing(text, sign):
    assert reading.read(text, hint="fr").score * sign > 0.2


def test_an_accent_that_tells_two_words_apart_is_heeded():
    assert [Lexicon("fr").score(word)[0] < 0 for word in ("sale", "sales", "salé", "salées")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("spoken", ["fr", "en"])
def test_a_text_is_judged_alike_alone_and_among_others(spoken):
    texts = ["Très bon, parfait !", "", "Awful.\n\nNever again :(", "😍", "é" * 300, "a b c " * 3_000]
    model = shipped(spoken)
    together, parts, because = model.judge(cut(texts))
    alone = [model.judge(cut([text])) for text in texts]
    assert because == [one[0] for _, _, one in alone]
    assert np.allclose(together, np.concatenate([whole for whole, _, _ in alone]))
    assert np.allclose(parts, np.concatenate([clauses for _, clauses, _ in alone]))
    assert np.allclose(together.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("heard", "right"),
    [
        ([(0.9, True), (0.8, True), (0.7, False), (0.6, False)], 1.0),
        ([(0.9, True), (0.5, True), (0.5, False), (0.5, False)], (1 + 1 / 3) / 2),
        ([], 0.0),
    ],
)
def test_those_as_sure_as_the_last_of_the_surer_half_count_in_part(heard, right):
    assert evaluation._half_right(heard) == pytest.approx(right)


def test_texts_are_read_in_order_however_many_lots_they_make(monkeypatch):
    texts = ["Très bon accueil", "", "Awful service, never again", "é" * 300, "Trop cher"] * 3
    together = reading.read_all([reading.Asked(text) for text in texts])
    monkeypatch.setattr(reading, "_LOT", 40)
    apart = reading.read_all([reading.Asked(text) for text in texts])
    assert [one.label for one in apart] == [one.label for one in together]
    assert [one.score for one in apart] == pytest.approx([one.score for one in together], abs=0.001)
    assert reading.read_all([]) == []


@pytest.mark.parametrize(
    "text", ["", "\x00\x00", "😀" * 5_000, "漢字かな交じり文" * 100, "a" * 1_000_000, "\ud800", "!" * 10_000]
)
def test_hostile_texts_are_read(text):
    read = reading.read(text)
    assert read.label in sentiment.LABELS
    assert -1 <= read.score <= 1


@given(st.lists(st.text(max_size=300), max_size=4))
@settings(max_examples=100, deadline=None)
def test_tokens_hold_every_character_and_each_lies_in_one_clause(texts):
    tokens = cut(texts)
    assert all((np.diff(one) >= 0).all() for one in (tokens.clause, tokens.clause_text))
    for at, text in enumerate(tokens.texts):
        spans = [(tokens.starts[n], tokens.stops[n]) for n in np.flatnonzero(tokens.clause_text == at)]
        assert "".join(text[start:stop] for start, stop in spans) == text
    for at in range(len(texts)):
        kept = np.arange(len(texts)) == at
        assert list(tokens.only(kept).clauses()) == list(cut([texts[at]]).clauses())


@given(st.text(st.sampled_from("aé.,!:)'’ \n\t\xa0\u3000-<3@w/"), max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_text_cut_by_its_spaces_has_the_tokens_of_the_whole(text):
    tokens = cut([text])
    whole = pieces._cut(tokens.texts[0])
    assert [tokens.lexemes.words[one] for one in tokens.lexeme] == [one.rstrip().lower() for one in whole or [""]]


def test_a_phrase_is_found_behind_a_sign_and_not_with_it():
    phrases = Phrases(
        {tuple(map(hashed, words)): value for words, value in ((("plus", "tard"), 1), (("a", "b", "c"), 2))}
    )
    said = np.array(
        [0, hashed("plus"), hashed("tard"), 0, hashed("a"), hashed("b"), hashed("c"), hashed("a")], np.uint64
    )
    anywhere = np.ones(len(said), bool)
    assert phrases.found(said, np.zeros(len(said), np.int64), anywhere, anywhere) == [(1, 2, 1), (4, 3, 2)]
    assert phrases.found(said, np.arange(len(said)), anywhere, anywhere) == []


def test_what_is_known_of_words_is_bounded_and_a_text_cut_before_is_read_alike(monkeypatch):
    monkeypatch.setattr(lexemes, "_known", lexemes.Lexemes())
    before = cut(["Accueil charmant mais trop cher."])
    chances, _, _ = shipped("fr").judge(before)
    monkeypatch.setattr(lexemes, "_MOST_CHARACTERS", 10_000)
    long = cut(["a" * 20_000])
    assert long.lexemes is before.lexemes
    assert cut(["Bon"]).lexemes is not before.lexemes, "a few long words fill it as many short ones do"
    assert np.array_equal(chances, shipped("fr").judge(before)[0])
    assert np.allclose(chances, shipped("fr").judge(cut(list(before.texts)))[0])


def test_many_tokens_of_few_pieces_fill_it_too(monkeypatch):
    monkeypatch.setattr(lexemes, "_known", lexemes.Lexemes())
    monkeypatch.setattr(lexemes, "_MOST_KNOWN", 100)
    before = cut([".".join(f"a{n}" for n in range(200))])
    assert cut(["Bon"]).lexemes is not before.lexemes


def test_what_came_again_is_not_forgotten_with_the_rest(monkeypatch):
    monkeypatch.setattr(lexemes, "_known", lexemes.Lexemes())
    monkeypatch.setattr(lexemes, "_MOST_CHARACTERS", 1_000)
    known, asked, of = shipped("fr"), [], Model.of
    monkeypatch.setattr(Model, "of", lambda self, words: asked.extend(words) or of(self, words))
    texts = ["Accueil charmant, mais trop cher.", "Accueil rare.", "a" * 2_000]
    for text in texts:
        cut([text]).known(known)
    chances, _, _ = known.judge(cut(["Accueil rare, mais cher !"]))
    assert sorted(lexemes._known.words) == sorted(["accueil", ".", "rare", ",", "mais", "cher", "!"])
    assert (asked.count("accueil"), asked.count("mais")) == (1, 2)
    monkeypatch.setattr(lexemes, "_known", lexemes.Lexemes())
    assert np.array_equal(chances, known.judge(cut(["Accueil rare, mais cher !"]))[0])


def test_what_is_forgotten_is_gone_without_waiting_for_a_collection(monkeypatch):
    monkeypatch.setattr(lexemes, "_known", lexemes.Lexemes())
    forgotten = weakref.ref(lexemes.current())
    gc.disable()
    try:
        reading.read("Accueil charmant mais trop cher.", default="fr")
        lexemes._known = lexemes.Lexemes()
        assert forgotten() is None, "hostile texts fill one lot after another: what is in a cycle would pile up"
    finally:
        gc.enable()


def test_many_threads_read_as_one():
    texts = [f"Très bon accueil numéro {n}, mais le plat {n * 7} était froid." for n in range(400)]
    alone = [one.score for one in reading.read_all([reading.Asked(text) for text in texts])]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: reading.read(text).score, texts))
    assert together == pytest.approx(alone, abs=0.001)


@given(st.text(max_size=300))
@settings(max_examples=50, deadline=None)
def test_features_lie_within_their_tables(text):
    tokens = cut([text, "bon pain"])
    known = tokens.known(shipped("fr"))
    found = [
        (tokens.clause, features.bucket(known["hash"])),
        *features.sequences(known["hash"], tokens.clause),
        *features.denied(known["hash"], known["denies"], tokens.clause),
    ]
    for places, buckets in found:
        assert len(places) == len(buckets)
        assert buckets.max(initial=0) < 1 << features.WORD_BITS
    assert features.runs([features.normal(text, "fr")])[1].max(initial=0) < 1 << features.CHARACTER_BITS


def test_the_model_sums_what_training_counts():
    texts = ["Pas un mot aimable, jamais un merci. Rien de bon !", "Jamais, jamais plus", "Bon"]
    chance = np.random.default_rng(7)
    kinds = {"words": features.WORD_BITS, "runs": features.CHARACTER_BITS}
    tables = {name: chance.integers(-127, 128, (2, 1 << bits), np.int8) for name, bits in kinds.items()}
    counted = zip(train._counted(texts, "fr"), tables.values(), strict=True)
    meant = sum(counts @ table.T.astype(float) / np.sqrt(counts.sum(axis=1)) for counts, table in counted)
    tokens = cut(texts)
    pieces = Model("fr", train._blank() | tables)._sums(tokens).pieces
    assert np.allclose(pieces[len(tokens.clause_text) :], meant, rtol=1e-4)


def test_short_reviews_of_other_languages_are_known_and_ours_are_not_taken_for_such():
    lines = (Path(__file__).parent / "languages.txt").read_text(encoding="utf-8").splitlines()
    written = [line.split(": ", 1) for line in lines if line and not line.startswith("#")]
    told = {text: {language.detect(text, None, own) for own in ("fr", "en")} for _, text in written}
    foreign = [told[text] == {"other"} for spoken, text in written if spoken not in {"fr", "en"}]
    lost = [text for spoken, text in written if spoken in {"fr", "en"} and "other" in told[text]]
    assert len(foreign) > 200
    assert sum(foreign) / len(foreign) >= 0.87, "217 of 240 when it was made, 13 before"
    assert len(lost) <= 2, lost


@pytest.mark.parametrize("first", [0x1D41A, 0x1D44E, 0x1D4EA, 0x1D5EE, 0x1D656])
def test_letters_in_a_style_of_mathematics_are_letters(first):
    plain = "service nul et accueil froid, c'est mauvais"
    shown = "".join(chr(first + ord(one) - ord("a")) if "a" <= one <= "z" and one != "h" else one for one in plain)
    read, meant = reading.read(shown), reading.read(plain)
    assert (read.language, read.label, read.score, read.because) == ("fr", "negative", meant.score, meant.because)
    assert [one.quote for one in read.themes] == [shown], "in the customer's own letters"


@pytest.mark.parametrize(
    ("text", "hint", "spoken"),
    [
        ("Netter Empfang", "de", "other"), ("Pésima experiencia", "es", "other"), ("Très bon, merci", "es", "fr"),
        ("Café frio", "pt-BR", "other"), ("Lovely staff", "en-GB", "en"), ("Menu", "en-US", "en"),
    ],
)  # fmt: skip
def test_a_sources_word_settles_what_the_words_leave_open(text, hint, spoken):
    assert language.detect(text, hint) == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Das Essen war nicht gut und viel zu teuer", "other"), ("La comida no es buena pero el sitio está bien", "other"),
        ("料理はとても美味しかったです", "other"), ("Очень вкусно, спасибо", "other"), ("Très bien, merci", "fr"),
        ("Il personale è molto gentile e tutto ottimo", "other"), ("Good value, lovely staff", "en"),
    ],
)  # fmt: skip
def test_other_languages_are_left_alone(text, spoken):
    assert language.detect(text) == spoken
    if spoken == "other":
        read = reading.read(text)
        assert (read.label, read.score, read.confidence, read.themes) == ("neutral", 0.0, 0.0, ())
        assert reading.read(text, rating=1).label == "negative", "stars need no translation"


def test_the_words_that_weighed_do_weigh():
    text = "Accueil froid mais pain délicieux, vraiment délicieux, je recommande"
    without = text.replace("délicieux", "").replace("recommande", "")
    heard, less = sentiment.judge(sentiment.engine_for("fr"), [text, without])
    strongest = max(heard.because, key=lambda pair: abs(pair[1]))[0]
    assert strongest in {"délicieux", "recommande"}
    assert less.score < heard.score - 0.3


def test_the_lexicon_turns_what_is_denied():
    score = Lexicon("fr").score
    assert score("C'est bon")[0] > 0 > score("Ce n'est pas bon")[0]
    assert score("C'est pas terrible")[0] < 0 < score("Rien à redire")[0]
    assert score("Très bon")[0] > score("Bon")[0]
    assert score("")[0] == 0


@pytest.mark.parametrize(
    ("spoken", "hasty", "meant"),
    [
        ("en", "Wasnt good", "Wasn't good"), ("en", "I wouldnt recommend it", "I wouldn't recommend it"),
        ("en", "Couldnt fault it", "Couldn't fault it"), ("fr", "C pa bon", "C'est pas bon"), ("fr", "jamé content", "jamais content"),
    ],
)  # fmt: skip
def test_a_denial_typed_in_a_hurry_denies(spoken, hasty, meant):
    read = Lexicon(spoken).score
    assert read(hasty)[0] * read(meant)[0] > 0


@pytest.mark.parametrize(
    ("spoken", "drawn", "plain"),
    [
        ("fr", "Nuuuul", "Nul"), ("fr", "J'adoooore", "J'adore"), ("fr", "Trooop bon", "Trop bon"), ("fr", "Paaas bon", "Pas bon"),
        ("en", "Goooood", "Good"), ("en", "Sooooo slow", "So slow"), ("en", "I looooove it", "I love it"), ("en", "Yummmmy", "Yummy"),
    ],
)  # fmt: skip
def test_words_that_are_drawn_out_mean_what_they_mean(spoken, drawn, plain):
    assert Lexicon(spoken).score(drawn)[0] == Lexicon(spoken).score(plain)[0] != 0
    assert language.detect(drawn, None, spoken) == spoken


def rows():
    texts = {
        "pos": "très bon pain délicieux",
        "neg": "mauvais accueil, à fuir",
        "neu": "le magasin ouvre à neuf heures",
    }
    return [
        {"text": f"{text} {source} {n * 7919}", "label": label, "source": source, "split": split}
        for source in ("insurance", "allocine_series", "babelio")
        for label, text in texts.items()
        for n in range(12)
        for split in ("train", "test")
    ]


def test_only_what_may_be_learnt_from_is_learnt():
    learnt = [row for row in rows() if labelled.may_learn(row)]
    assert {(row["source"], row["split"]) for row in learnt} == {("insurance", "train")}
    assert not any(labelled.may_learn(row, frozenset({"insurance"})) for row in rows())


def test_training_twice_gives_the_same_model():
    first, again = train.trained(rows(), "fr"), train.trained(rows(), "fr")
    assert all((first[name] == again[name]).all() for name in first)


@pytest.mark.parametrize("word", ["Beurk", "🤡", "TTB", "Nikel"])
def test_a_word_that_stands_alone_is_worth_what_the_lexicon_says(word):
    said = Lexicon("fr").score(word)[0]
    assert reading.read(word).label == ("positive" if said > 0 else "negative")


def test_figures_are_those_of_a_hand_count():
    rows = [
        evaluation.Labelled("Parfait, délicieux", "fr", "positive"),
        evaluation.Labelled("Horrible, à fuir", "fr", "negative"),
        evaluation.Labelled("Horrible, à fuir", "fr", "positive"),
    ]
    figures = evaluation.measured(rows, "lexicon")
    assert (figures.right, figures.polar) == (2, 3)
    assert round(figures.f1, 4) == round((2 / 3 + 2 / 3) / 2, 4)


def score(lines, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "vigie", "score", *arguments],
        input="\n".join(lines).encode(),
        capture_output=True,
        timeout=60,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_score_answers_line_by_line_and_says_which_it_cannot_read():
    status, answers = score(
        [
            '{"text": "Pain excellent", "id": 7}', "{", "[1]", '{"text": 3}', '{"text": "Nul", "rating": 9}',
            '{"text": "Awful", "rating": 5}',
        ],
        "--keep",
    )  # fmt: skip
    assert status == 1
    assert [one.get("line") for one in answers] == [None, 2, 3, 4, 5, None]
    assert (answers[0]["label"], answers[0]["input"]) == ("positive", {"id": 7})
    assert answers[5]["label"] == "negative", "of the text alone"
    assert score(['{"text": "Awful", "rating": 5}'], "--use-rating")[1][0]["label"] == "positive"


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="needs the labelled texts of ../shared/data")
def test_the_shipped_model_beats_the_published_engine():
    """On a test split that nothing learnt from; the whole table stands in docs/model-figures.md."""
    with gzip.open(SHARED / "data" / "sentiment_fr.jsonl.gz", "rt", encoding="utf-8") as lines:
        every = [json.loads(line) for line in lines]
    rows = [evaluation.labelled(row) for row in every if row["source"] == "mabsa_hotel" and row["split"] == "test"]
    learnt, published = evaluation.measured(rows, "learned"), evaluation.measured(rows, "published")
    assert learnt.right > published.right
    assert learnt.f1 > published.f1
