"""Values as Mailchimp will store them: normalised, cut at whole words, tags and characters, comparable."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core import field_map
from lockstep.core.field_map import (
    CUT_MARK,
    FIELD_SPECS,
    VALUE_BYTES,
    FieldMap,
    cut,
    cut_list,
    differing,
    digest,
    is_active,
    is_cut,
    make_values,
    one_line,
    released,
)

FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
tags = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=30)


def length(text: str) -> int:
    return len(text.encode())


# --- tags and labels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["CSKU", "A", "X9", "AB12"])
def test_every_merge_tag_is_one_that_mailchimp_takes(prefix: str) -> None:
    made = FieldMap(prefix).tags
    assert len(made) == len(set(made)) == 18
    assert all(len(tag) <= 10 and tag.replace("_", "").isalnum() and tag.upper() == tag for tag in made)


@pytest.mark.parametrize("prefix", ["", "csku", "TOOLONG", "9A", "A-B", "Ä", "A B", "AB\n"])
def test_a_prefix_that_could_not_be_a_merge_tag_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        FieldMap(prefix)


def test_labels_read_as_the_help_page_says() -> None:
    assert FieldMap().labels[:3] == ("CSKU Email", "CSKU First Name", "CSKU Last Name")
    assert FieldMap("ABC").labels[-1] == "ABC Sync Status"


def test_values_are_read_and_sent_in_field_order() -> None:
    ours = FieldMap()
    values = tuple(str(number) for number in range(18))
    sent = ours.merge_fields(values)
    assert ours.values_of({**sent, "FNAME": "not ours"}) == values
    assert ours.merge_fields(values, only=(1, 17)) == {"CSKU_FNAME": "1", "CSKU_SYNC": "17"}


@pytest.mark.parametrize(
    ("stored", "read"), [("x", "x"), ("", ""), (None, ""), (15.5, "15.5"), (7, "7"), ("absent", "absent")]
)
def test_whatever_mailchimp_stores_is_read_as_text(stored: object, read: str) -> None:
    assert FieldMap().values_of({"CSKU_POS": stored})[3] == read


# --- cutting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("short", 20, "short"),
        ("exactly twenty bytes", 20, "exactly twenty bytes"),
        ("cut at a whole word, please", 20, "cut at a whole…"),
        ("comma, then the cut follows", 16, "comma, then…"),
        ("onelongwordwithoutanyspace", 12, "onelongwo…"),
        ("éééééééééé", 12, "éééé…"),
        ("😀😀😀😀", 14, "😀😀…"),
        ("e\N{COMBINING ACUTE ACCENT}" * 6, 13, ("e\N{COMBINING ACUTE ACCENT}" * 3) + "…"),
        ("aaaaa" + "e\N{COMBINING ACUTE ACCENT}" * 2, 10, "aaaaa…"),
        ("ab" + FAMILY, 18, "ab…"),
        ("ok 👍\N{EMOJI MODIFIER FITZPATRICK TYPE-5}!", 11, "ok…"),
    ],
)
def test_cut(text: str, limit: int, kept: str) -> None:
    assert cut(text, limit) == kept
    assert length(kept) <= limit


@pytest.mark.parametrize(
    ("items", "limit", "kept"),
    [
        ([], 20, ""),
        (["red", "green"], 20, "red, green"),
        (["red", "green", "blue"], 16, "red, green, blue"),
        (["red", "green", "blue"], 15, "red, green, …"),
        (["red", "green", "blue"], 14, "red, …"),
        (["onelongtagthatdoesnotfit", "b"], 12, "onelongta…"),
        (["", "  ", "red\n"], 20, "red"),
        (["Grün", "Weiß", "Blau"], 18, "Grün, Weiß, Blau"),
        (["Grün", "Weiß", "Blaues"], 17, "Grün, Weiß, …"),
        (["Grün", "Weiß", "Blaues"], 16, "Grün, …"),
    ],
)
def test_cut_list(items: list[str], limit: int, kept: str) -> None:
    assert cut_list(items, limit) == kept
    assert length(kept) <= limit


@given(texts, st.integers(8, 300))
def test_a_cut_text_fits_and_is_a_beginning_of_whole_characters(text: str, limit: int) -> None:
    made = cut(text, limit)
    assert length(made) <= limit
    assert cut(made, limit) == made
    if length(text) <= limit:
        assert made == text
    else:
        head = made.removesuffix(CUT_MARK)
        assert is_cut(made)
        assert text.startswith(head)
        rest = text[len(head) :]
        assert not head or not unicodedata.combining(rest[0])


@given(tags, st.integers(20, 300))
def test_a_cut_list_holds_whole_tags_from_the_front(items: list[str], limit: int) -> None:
    made = cut_list(items, limit)
    assert length(made) <= limit
    names = [name for item in items if (name := one_line(item))]
    if made == ", ".join(names):
        return
    assert is_cut(made)
    if made.endswith(f", {CUT_MARK}"):
        kept = made.removesuffix(f", {CUT_MARK}")
        assert any(kept == ", ".join(names[:number]) for number in range(1, len(names)))


# --- normalising ------------------------------------------------------------------------------------------


@given(
    st.text(st.sampled_from([*"aé🎈  ", *map(chr, range(0x30)), "\x7f", "\x85", "\xa0", "\u2003", "\u3000"]))
)
def test_one_line_folds_every_kind_of_white_space(text: str) -> None:
    words = "".join(" " if ch.isspace() or ch < " " or ch == "\x7f" else ch for ch in text).split(" ")
    assert one_line(text) == " ".join(word for word in words if word)


@given(texts)
def test_one_line_is_idempotent_and_has_no_control_characters(text: str) -> None:
    line = one_line(text)
    assert one_line(line) == line
    assert line == line.strip()
    assert not any(char < " " or char == "\x7f" for char in line)
    assert "  " not in line


def full(**given_texts: str) -> dict[str, str]:
    return {spec.name: "" for spec in FIELD_SPECS} | given_texts


@given(texts, texts, tags)
def test_values_are_a_fixed_point_so_that_no_plan_is_dirty_for_ever(
    name: str, position: str, named: list[str]
) -> None:
    values = make_values(full(first_name=name, position=position), client_tags=named, contact_tags=named)
    assert len(values) == 18
    assert all(length(value) <= VALUE_BYTES for value in values)
    assert FieldMap().values_of(FieldMap().merge_fields(values)) == values
    again = make_values(full(first_name=values[1], position=values[3]), client_tags=named, contact_tags=named)
    assert differing(values, again) == ()
    assert digest(values) == digest(again)


@given(tags, st.randoms())
def test_the_order_of_tags_is_no_difference(named: list[str], random: object) -> None:
    shuffled = list(named)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert make_values(full(), contact_tags=named) == make_values(full(), contact_tags=shuffled)


def test_tags_that_differ_only_in_case_have_one_order() -> None:
    assert make_values(full(), contact_tags=["vip", "VIP"])[16] == "VIP, vip"
    assert make_values(full(), contact_tags=["VIP", "vip"])[16] == "VIP, vip"


# --- release and comparing --------------------------------------------------------------------------------


def test_a_release_is_inactive_with_both_urls_empty_and_nothing_else() -> None:
    values = (*(f"value {number}" for number in range(17)), "Active")
    after = released(values)
    changed = {FIELD_SPECS[index].name: after[index] for index in differing(values, after)}
    assert changed == {"contact_url": "", "client_url": "", "sync_status": "Inactive"}
    assert released(after) == after
    assert is_active(values)
    assert not is_active(after)


values_of_any_kind = st.tuples(*[st.text("ab", max_size=2)] * 18)


@given(values_of_any_kind, values_of_any_kind)
def test_digests_are_equal_exactly_where_values_are(one: field_map.Values, two: field_map.Values) -> None:
    assert (digest(one) == digest(two)) == (differing(one, two) == ())
    assert len(digest(one)) == 16
