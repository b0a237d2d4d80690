"""One run of the program: which setting wins, which policy applies, what the environment means."""

import operator
from collections.abc import Mapping
from pathlib import Path

import pytest

from countermark.assembly.program import Program
from countermark.assembly.surroundings import SYSTEM_FOLDER
from countermark.config import Source
from countermark.core.errors import Code, ConfigError, InputError
from countermark.core.reference import ImageReference

ALLOW = 'version: 1\nunmatched: deny\nrules:\n- {images: "%s", allow: "a test"}\n'


def rooted(root: Path, config_file: str = "", **environment: str) -> Program:
    """A program whose home and system folder are a test's own."""
    program = Program({"HOME": str(root / "home"), **environment}, config_file)
    program.system_folder = str(root / "etc")
    return program


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "home" / ".config" / "countermark").mkdir(parents=True)
    return tmp_path


def system(root: Path, name: str, text: str) -> str:
    return written(root / "etc" / name, text)


def user(root: Path, name: str, text: str) -> str:
    return written(root / "home" / ".config" / "countermark" / name, text)


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


# Settings -------------------------------------------------------------------------------------------


def test_the_system_folder_is_the_usual_one() -> None:
    assert Program({}).system_folder == SYSTEM_FOLDER == "/etc/countermark"


def test_each_place_gives_way_to_the_next(root: Path) -> None:
    flag = Source(origin="flags", settings=(("trustServer", "https://flag.test"),))

    def wins(program: Program, *flags: Source) -> tuple[str, str]:
        config = program.config_with(flags)
        return config.trust_server, dict(config.origins).get("trustServer", "default")

    assert wins(rooted(root)) == ("", "default")
    path = system(root, "config.yaml", "trustServer: https://system.test\n")
    assert wins(rooted(root)) == ("https://system.test", path)
    path = user(root, "config.yaml", "trustServer: https://user.test\n")
    assert wins(rooted(root)) == ("https://user.test", path)
    path = written(root / "named.yaml", "trustServer: https://named.test\n")
    assert wins(rooted(root, path)) == ("https://named.test", path)
    variable = {"DOCKER_CONTENT_TRUST_SERVER": "https://variable.test"}
    assert wins(rooted(root, path, **variable)) == (
        "https://variable.test",
        "DOCKER_CONTENT_TRUST_SERVER",
    )
    assert wins(rooted(root, path, **variable), flag) == ("https://flag.test", "flags")


def test_files_are_merged_key_by_key(root: Path) -> None:
    system(root, "config.yaml", "movedTag: useSigned\nserve: {listen: '127.0.0.1:1'}\n")
    user(root, "config.yaml", "serve: {data: /srv}\n")
    config = rooted(root).config
    assert (config.moved_tag, config.serve.listen, config.serve.data) == (
        "useSigned",
        "127.0.0.1:1",
        "/srv",
    )


def test_config_show_says_where_each_comes_from(root: Path) -> None:
    path = user(root, "config.yaml", "movedTag: useSigned\n")
    lines = rooted(root, DOCKER_CONFIG="/d").config_lines()
    assert f"movedTag: useSigned  ({path})" in lines
    assert "dockerConfig: /d  (DOCKER_CONFIG)" in lines
    assert "serve.listen: 127.0.0.1:5443  (default)" in lines


def test_the_file_that_was_named_must_be_there(root: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file") as caught:
        _ = rooted(root, str(root / "missing.yaml")).config
    assert caught.value.code == Code.BAD_CONFIG


def test_a_mistake_has_file_and_line(root: Path) -> None:
    path = user(root, "config.yaml", "\nserve: {lisen: x}\n")
    with pytest.raises(ConfigError) as caught:
        _ = rooted(root).config
    assert (caught.value.file, caught.value.line) == (path, 2)


# Folders --------------------------------------------------------------------------------------------


FOLDERS: list[tuple[Mapping[str, str], str, str]] = [
    ({}, "user_folder", "{}/home/.config/countermark"),
    ({"XDG_CONFIG_HOME": "/x"}, "user_folder", "/x/countermark"),
    ({}, "data_folder", "{}/home/.local/share/countermark"),
    ({"XDG_DATA_HOME": "/x"}, "data_folder", "/x/countermark"),
    ({}, "docker_folder", "{}/home/.docker"),
    ({"DOCKER_CONFIG": "/x"}, "docker_folder", "/x"),
    ({}, "dct.folder", "{}/home/.docker/trust"),
    ({"DOCKER_CONFIG": "/x"}, "dct.folder", "/x/trust"),
]


@pytest.mark.parametrize(("environment", "name", "expected"), FOLDERS)
def test_folders(root: Path, environment: Mapping[str, str], name: str, expected: str) -> None:
    assert operator.attrgetter(name)(rooted(root, **environment)) == expected.format(root)


def test_dockers_folder_may_be_configured(root: Path) -> None:
    user(root, "config.yaml", "dockerConfig: /from/file\n")
    assert rooted(root).docker_folder == "/from/file"
    assert rooted(root, DOCKER_CONFIG="/from/variable").docker_folder == "/from/variable"


TRUTH = [
    ("", False),
    ("0", False),
    ("false", False),
    ("F", False),
    ("1", True),
    ("true", True),
    ("yes", True),
]


@pytest.mark.parametrize(("value", "expected"), TRUTH)
def test_content_trust_as_docker_reads_it(value: str, expected: bool) -> None:
    assert Program({"DOCKER_CONTENT_TRUST": value}).content_trust_is_on is expected


COLOURS = [
    ({}, True),
    ({"NO_COLOR": "1"}, False),
    ({"NO_COLOR": ""}, True),
    ({"TERM": "dumb"}, False),
]


@pytest.mark.parametrize(("environment", "expected"), COLOURS)
def test_colour(environment: Mapping[str, str], expected: bool) -> None:
    assert Program(environment).colour is expected


# The policy -----------------------------------------------------------------------------------------


def names(program: Program, flag: str = "") -> list[str]:
    return [layer.name for layer in program.policy(flag).layers]


def test_without_a_file_the_built_in_layer_decides(root: Path) -> None:
    assert names(rooted(root)) == ["content-trust"]
    layer = rooted(root).policy().layers[0]
    assert (layer.moved_tag, layer.unmatched) == ("deny", "deny")


def test_the_systems_file_and_the_users_both_hold(root: Path) -> None:
    ours = system(root, "policy.yaml", ALLOW % "**")
    assert names(rooted(root)) == [ours]
    theirs = user(root, "policy.yaml", ALLOW % "docker.io/**")
    assert names(rooted(root)) == [ours, theirs]


def test_a_file_that_was_named_holds_alone(root: Path) -> None:
    system(root, "policy.yaml", ALLOW % "**")
    flag = written(root / "flag.yaml", ALLOW % "**")
    variable = written(root / "variable.yaml", ALLOW % "**")
    configured = written(root / "configured.yaml", ALLOW % "**")
    user(root, "config.yaml", f"policy: {configured}\n")
    assert names(rooted(root)) == [configured]
    assert names(rooted(root, COUNTERMARK_POLICY=variable)) == [variable]
    assert names(rooted(root, COUNTERMARK_POLICY=variable), flag) == [flag]


def test_a_named_policy_that_is_missing_is_never_replaced_by_another(root: Path) -> None:
    system(root, "policy.yaml", ALLOW % "**")
    for program, flag in (
        (rooted(root), str(root / "missing.yaml")),
        (rooted(root, COUNTERMARK_POLICY=str(root / "missing.yaml")), ""),
    ):
        with pytest.raises(ConfigError, match="there is no such file"):
            program.policy(flag)


def test_a_broken_file_is_never_left_out(root: Path) -> None:
    system(root, "policy.yaml", ALLOW % "**")
    path = user(root, "policy.yaml", "version: 1\nunmached: deny\n")
    with pytest.raises(ConfigError) as caught:
        rooted(root).policy()
    assert (caught.value.file, caught.value.line) == (path, 2)


def test_moved_tag_counts_only_where_no_file_decides(root: Path) -> None:
    variable = {"COUNTERMARK_MOVED_TAG": "useSigned"}
    assert rooted(root, **variable).policy().layers[0].moved_tag == "useSigned"
    user(root, "policy.yaml", ALLOW % "**")
    assert rooted(root, **variable).policy().layers[0].moved_tag == "deny"


def test_moved_tag_is_one_of_two_words(root: Path) -> None:
    with pytest.raises(InputError, match="COUNTERMARK_MOVED_TAG: not deny or useSigned: 'maybe'"):
        rooted(root, COUNTERMARK_MOVED_TAG="maybe").policy()


def test_order_says_which_rule_decides(root: Path) -> None:
    path = written(root / "p.yaml", ALLOW % "docker.io/**")
    program = rooted(root)
    assert program.policy_order(path, ImageReference.parse("alpine:3")) == [
        f"{path}:",
        "  decides  line 4: docker.io/**  (allow)",
    ]
    assert program.policy_order(path, ImageReference.parse("r.test/a:3")) == [
        f"{path}:",
        "  no rule matches: unmatched is deny",
    ]


def test_each_thing_is_made_once(root: Path) -> None:
    program = rooted(root)
    for name in (
        "files",
        "http",
        "logins",
        "authenticator",
        "terminal",
        "dct",
        "cosign",
        "hosting",
    ):
        assert getattr(program, name) is getattr(program, name)
    for name in ("cache", "keys", "servers", "loader", "ring", "publisher"):
        assert getattr(program.dct, name) is getattr(program.dct, name)


def test_an_environment_with_changes(root: Path) -> None:
    changed = rooted(root, A="1", B="2").with_environment({"A": "", "C": "3"})
    assert changed.system_folder == str(root / "etc")
    assert changed.environment == {"HOME": str(root / "home"), "B": "2", "C": "3"}


def test_texts_made_with_the_package(root: Path) -> None:
    assert rooted(root).installation.packaged("no/such/text") is None
    assert (rooted(root).installation.packaged("version.py") or "").startswith('"""The version')
