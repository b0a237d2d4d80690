"""CI systems whose tokens we know: which claim becomes which of Fulcio's extensions.

The tables are those of Fulcio's public configuration (v1.8.8, ``config/identity/config.yaml``), so that a certificate
says the same whoever issues it. An operator's file may add systems (``ci-issuer-metadata``).
"""

from collections.abc import Mapping

from countermark.core.errors import ConfigError
from countermark.core.value import Value
from countermark.services.identity_tokens.templates import Template

# the names that Fulcio's file has for its extensions: numbers below 1.3.6.1.4.1.57264.1
EXTENSIONS = {
    "github-workflow-trigger": 2,
    "github-workflow-sha": 3,
    "github-workflow-name": 4,
    "github-workflow-repository": 5,
    "github-workflow-ref": 6,
    "build-signer-uri": 9,
    "build-signer-digest": 10,
    "runner-environment": 11,
    "source-repository-uri": 12,
    "source-repository-digest": 13,
    "source-repository-ref": 14,
    "source-repository-identifier": 15,
    "source-repository-owner-uri": 16,
    "source-repository-owner-identifier": 17,
    "build-config-uri": 18,
    "build-config-digest": 19,
    "build-trigger": 20,
    "run-invocation-uri": 21,
    "source-repository-visibility-at-signing": 22,
    "deployment-environment": 23,
}


class Provider(Value):
    """How a CI system's claims become the name and the extensions of a certificate.

    Attributes:
        name: the template of the subject alternative name, a URI.
        extensions: their templates by number.
        defaults: for claims that a token may lack, or leave empty.
        choices: claims that must be one of some words.
    """

    name: Template
    extensions: Mapping[int, Template]
    defaults: Mapping[str, str] = {}
    choices: Mapping[str, tuple[str, ...]] = {}


def provider(
    name: str,
    extensions: Mapping[str, str],
    defaults: Mapping[str, str],
    choices: Mapping[str, tuple[str, ...]] | None = None,
) -> Provider:
    """Make a provider from the texts of its templates.

    Raises:
        InputError: a template is broken. ConfigError: there is no such extension.
    """
    numbered: dict[int, Template] = {}
    for word, text in extensions.items():
        if word not in EXTENSIONS:
            raise ConfigError(f"there is no extension {word[:80]!r}")
        numbered[EXTENSIONS[word]] = Template.parse(text)
    return Provider(
        name=Template.parse(name),
        extensions=dict(sorted(numbered.items())),
        defaults=dict(defaults),
        choices=choices or {},
    )


def _github() -> Provider:
    home = "https://github.com"
    return provider(
        f"{home}/{{{{ .job_workflow_ref }}}}",
        {
            "github-workflow-trigger": "event_name",
            "github-workflow-sha": "sha",
            "github-workflow-name": "workflow",
            "github-workflow-repository": "repository",
            "github-workflow-ref": "ref",
            "build-signer-uri": f"{home}/{{{{ .job_workflow_ref }}}}",
            "build-signer-digest": "job_workflow_sha",
            "runner-environment": "runner_environment",
            "source-repository-uri": f"{home}/{{{{ .repository }}}}",
            "source-repository-digest": "sha",
            "source-repository-ref": "ref",
            "source-repository-identifier": "repository_id",
            "source-repository-owner-uri": f"{home}/{{{{ .repository_owner }}}}",
            "source-repository-owner-identifier": "repository_owner_id",
            "build-config-uri": f"{home}/{{{{ .workflow_ref }}}}",
            "build-config-digest": "workflow_sha",
            "build-trigger": "event_name",
            "run-invocation-uri": (
                f"{home}/{{{{ .repository }}}}/actions/runs/{{{{ .run_id }}}}"
                "/attempts/{{ .run_attempt }}"
            ),
            "source-repository-visibility-at-signing": "repository_visibility",
            "deployment-environment": "environment",
        },
        {"environment": ""},
    )


def _gitlab() -> Provider:
    home = "https://gitlab.com"
    return provider(
        "https://{{ .ci_config_ref_uri }}",
        {
            "build-signer-uri": "https://{{ .ci_config_ref_uri }}",
            "build-signer-digest": "ci_config_sha",
            "runner-environment": "runner_environment",
            "source-repository-uri": f"{home}/{{{{ .project_path }}}}",
            "source-repository-digest": "sha",
            "source-repository-ref": (
                'refs/{{ if eq .ref_type "branch" }}heads/{{ else }}tags/{{ end }}{{ .ref }}'
            ),
            "source-repository-identifier": "project_id",
            "source-repository-owner-uri": f"{home}/{{{{ .namespace_path }}}}",
            "source-repository-owner-identifier": "namespace_id",
            "build-config-uri": "https://{{ .ci_config_ref_uri }}",
            "build-config-digest": "ci_config_sha",
            "build-trigger": "pipeline_source",
            "run-invocation-uri": f"{home}/{{{{ .project_path }}}}/-/jobs/{{{{ .job_id }}}}",
            "source-repository-visibility-at-signing": "project_visibility",
            "deployment-environment": "environment",
        },
        # null where the pipeline is defined in another instance
        {"environment": "", "ci_config_sha": ""},
        {"ref_type": ("branch", "tag")},
    )


def _buildkite() -> Provider:
    pipeline = "https://buildkite.com/{{ .organization_slug }}/{{ .pipeline_slug }}"
    return provider(
        pipeline,
        {
            "runner-environment": "runner_environment",
            "source-repository-digest": "build_commit",
            "build-trigger": "build_source",
            "run-invocation-uri": f"{pipeline}/builds/{{{{ .build_number }}}}#{{{{ .job_id }}}}",
        },
        {"runner_environment": "", "build_source": ""},
    )


def _codefresh() -> Provider:
    build = "{{ .platform_url }}/build/{{ .workflow_id }}"
    return provider(
        "{{ .platform_url }}/{{ .account_name }}/{{ .pipeline_name }}"
        ":{{ .account_id }}/{{ .pipeline_id }}",
        {
            "build-signer-uri": build,
            "runner-environment": "runner_environment",
            "source-repository-uri": "scm_repo_url",
            "source-repository-ref": "scm_ref",
            "build-config-uri": "{{ .platform_url }}/api/pipelines/{{ .pipeline_id }}",
            "run-invocation-uri": build,
        },
        {
            "platform_url": "https://g.codefresh.io",
            "scm_repo_url": "",
            "scm_ref": "",
            "runner_environment": "",
        },
    )


def _circleci() -> Provider:
    def claim(name: str) -> str:
        return f'{{{{ index . "oidc.circleci.com/{name}" }}}}'

    home, api = "https://app.circleci.com/", "https://circleci.com/api/v2"
    definition = (
        f"{api}/projects/{claim('project-id')}/pipeline-definitions/"
        f"{claim('pipeline-definition-id')}"
    )
    return provider(
        definition,
        {
            "build-config-uri": f"{api}/pipeline/{claim('pipeline-id')}/config",
            "build-signer-uri": definition,
            "run-invocation-uri": f"{home}/workflow/{claim('workflow-id')}/job/{claim('job-id')}",
            "runner-environment": (
                '{{ if eq (index . "oidc.circleci.com/ssh-rerun") "true" }}ssh-rerun{{ end }}'
            ),
            "source-repository-ref": claim("vcs-ref"),
            "source-repository-uri": claim("vcs-origin"),
        },
        {},
    )


# by the names that Fulcio's file has for them
PROVIDERS: Mapping[str, Provider] = {
    "github-workflow": _github(),
    "gitlab-pipeline": _gitlab(),
    "buildkite-job": _buildkite(),
    "codefresh-workflow": _codefresh(),
    "circleci-job": _circleci(),
}
