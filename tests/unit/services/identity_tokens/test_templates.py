"""Templates of claims: what they give, and what is refused when they are read."""

import pytest

from countermark.core.errors import Code, EvidenceError, InputError
from countermark.services.identity_tokens.templates import Template

VALUES = {
    "url": "https://ci.example.com",
    "ref": "main",
    "ref_type": "branch",
    "empty": "",
    "a.b/c-d": "dotted",
    "braces": "{{ .ref }}",
}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("ref", "main"),
        ("a.b/c-d", "dotted"),
        ("{{ .ref }}", "main"),
        ("{{.url}}/x/{{.ref}}", "https://ci.example.com/x/main"),
        ("https://{{ .ref }}#{{ .ref }}", "https://main#main"),
        ("{{ (.ref) }}", "main"),
        ('{{index . "a.b/c-d"}}', "dotted"),
        ('{{(index . "a.b/c-d")}}!', "dotted!"),
        (
            'refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}',
            "refs/heads/main",
        ),
        ('{{ if eq .ref_type "tag" }}tags{{ else }}heads{{ end }}', "heads"),
        ('{{ if ne .ref_type "tag" }}no tag{{ end }}', "no tag"),
        ('{{ if ne .ref_type "branch" }}no branch{{ end }}.', "."),
        ('{{ if eq (index . "a.b/c-d") "dotted" }}yes{{ end }}', "yes"),
        ('{{ if eq .ref "" }}x{{ else }}{{ if eq .ref "main" }}inner{{ end }}{{ end }}', "inner"),
        ("a{{ .empty }}b", "ab"),
        ("{{ .braces }}", "{{ .ref }}"),  # a value is never read as a template
        ("x }} y{{ .ref }}", "x }} ymain"),
    ],
)
def test_what_they_give(text: str, result: str) -> None:
    template = Template.parse(text)
    assert template.text == text
    assert template.render(VALUES) == result


@pytest.mark.parametrize("text", ["missing", "{{ .missing }}", '{{ if eq .missing "" }}x{{ end }}'])
def test_a_missing_claim(text: str) -> None:
    with pytest.raises(EvidenceError, match="no claim 'missing'") as caught:
        Template.parse(text).render(VALUES)
    assert caught.value.code == Code.TOKEN


def test_only_the_branch_that_is_taken_needs_its_claims() -> None:
    text = '{{ if eq .ref "main" }}a{{ else }}{{ .missing }}{{ end }}'
    assert Template.parse(text).render(VALUES) == "a"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "{{",
        "{{ .ref",
        "{{ }}",
        "{{ ref }}",
        "{{ . }}",
        "{{ .a.b }}",
        "{{ .ref | upper }}",
        "{{- .ref }}",
        "{{ .ref -}}",
        "{{ printf .ref }}",
        '{{ "text" }}',
        "{{ /* comment */ }}",
        "{{ $x := .ref }}",
        "{{ range .ref }}{{ end }}",
        "{{ template .ref }}",
        "{{ index . .ref }}",
        '{{ index .ref "x" }}',
        '{{ index . "x" "y" }}',
        "{{ (.ref }}",
        "{{ .ref) }}",
        "{{ if }}x{{ end }}",
        "{{ if .ref }}x{{ end }}",
        "{{ if eq .ref .url }}x{{ end }}",
        '{{ if eq "a" "b" }}x{{ end }}',
        '{{ if lt .ref "b" }}x{{ end }}',
        '{{ if eq .ref "a" }}x',
        '{{ if eq .ref "a" }}x{{ else }}y',
        '{{ if eq .ref "a" }}x{{ else }}y{{ else }}z{{ end }}',
        '{{ if eq .ref "a" }}x{{ else if eq .ref "b" }}y{{ end }}',
        "{{ end }}",
        "{{ else }}",
        '{{ if eq .ref "un\\"quoted" }}x{{ end }}',
        '{{ if eq .ref "a" }}' * 10 + "x" + "{{ end }}" * 10,
    ],
)
def test_what_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(InputError):
        Template.parse(text)
