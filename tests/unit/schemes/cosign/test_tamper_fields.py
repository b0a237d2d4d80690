"""Each part of each form of a signature, broken in each way: the table says what follows."""

import copy
from functools import partial

import pytest

import fake_sigstore as fake
from countermark.core.errors import Code, ConfigError
from tamper_certified import CERTIFIED
from tamper_cosign import FORMS, Case
from tamper_fields import (
    FILE_CASES,
    FILES,
    IMAGE_CASES,
    WAYS,
    FileCase,
    Path,
    broken,
    document_of,
    judged_file,
    member,
    parts,
    read_table,
    rows,
)
from tamper_inside import INSIDE, SUBJECTS
from unit.schemes.cosign.test_tamper_cosign import answer

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", IMAGE_CASES, ids=str)
def test_a_broken_part_of_an_images_signature(case: Case) -> None:
    assert answer(case) == case.code


@pytest.mark.parametrize("case", FILE_CASES, ids=str)
def test_a_broken_part_of_a_files_signature(case: FileCase) -> None:
    assert judged_file(case.make(), case.signer) == case.code


@pytest.mark.parametrize("case", [*INSIDE, *CERTIFIED], ids=str)
def test_what_is_signed_logged_certified_and_trusted(case: Case) -> None:
    try:
        found = answer(case)
    except ConfigError as error:  # a trusted root that cannot be read
        found = error.code
    assert found == case.code


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_part_of_what_is_inside_is_left_out(subject: str) -> None:
    table, document, foreign = SUBJECTS[subject]
    listed = {(path, way) for path, way, _ in read_table(table)}
    assert breakable(document, foreign) == listed


def breakable(document: fake.Document, foreign: fake.Document) -> set[tuple[Path, str]]:
    return {
        (path, way)
        for path in parts(document)
        for way in WAYS
        if broken(way, document, foreign, path) is not None
    }


def test_names_are_told_apart() -> None:
    names = [str(case) for case in (*IMAGE_CASES, *INSIDE, *CERTIFIED)]
    names += map(str, FILE_CASES)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("form", [*FORMS, *FILES])
def test_no_part_is_left_out(form: str) -> None:
    """Whatever can be broken has its case, and every case breaks something that is there."""
    build = FORMS[form][0] if form in FORMS else FILES[form][0]
    document, foreign = document_of(build()), document_of(build())
    listed = {(path, way) for path, way, _ in rows(form)}
    found = breakable(document, foreign)
    # what lies beside an entry may be the same for both, by chance of their places
    chance = {each for each in found | listed if "hashes" in each[0] and each[1] == "another's"}
    assert found - chance == listed - chance


@pytest.mark.parametrize("form", [form for form in [*FORMS, *FILES] if not form.startswith("old")])
def test_a_part_of_another_kind(form: str) -> None:
    """``true`` where a text, a number, a list or an object belongs."""
    build, signer = FORMS[form] if form in FORMS else FILES[form]
    document = build()
    assert isinstance(document, dict)
    for path in parts(document):
        made = copy.deepcopy(document)
        member(made, path[:-1])[path[-1]] = True
        if form in FORMS:
            assert answer(Case("x", partial(dict, made), None, signer)) == Code.MALFORMED, path
        else:
            assert judged_file(fake.compact(made), signer) == Code.MALFORMED, path
