"""Images in manifests of Kubernetes: found wherever pods are described, and nothing passed over."""

import pytest

from countermark.core.errors import ConfigError
from countermark.enforce.manifests import images

POD = """
apiVersion: v1
kind: Pod
spec:
  ephemeralContainers:
  - {name: e, image: "debug:1"}
  containers:
  - name: a
    image: app:1
  - {name: b, image: "proxy@sha256:0000"}
  initContainers:
  - {name: i, image: init:1}
  volumes:
  - name: data
    image: {reference: data:1, pullPolicy: Always}
  - {name: none, emptyDir: {}}
"""
CRON = """
kind: CronJob
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers: [{name: c, image: "cron:1"}, {name: d, image: "app:1"}]
"""
OTHER = """
kind: Rollout
items:
- spec: {canary: {template: {spec: {containers: [{name: x, image: canary:1}]}}}}
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (POD, "init:1 app:1 proxy@sha256:0000 debug:1 data:1"),
        (CRON, "cron:1 app:1"),
        (OTHER, "canary:1"),
        (f"{POD}---{CRON}---{OTHER}", "init:1 app:1 proxy@sha256:0000 debug:1 data:1 cron:1 canary:1"),
        ("kind: ConfigMap\ndata: {image: no, containers: none}\n", ""),
        ("kind: Custom\nspec: {containers: {web: {containers: [{image: deep:1}]}}}\n", "deep:1"),
        ("---\n---\nkind: Pod\n", ""),
        ('{"kind": "Pod", "spec": {"containers": [{"name": "j", "image": "json:1"}]}}', "json:1"),
        ("", ""),
    ],
)  # fmt: skip
def test_found(text: str, found: str) -> None:
    assert " ".join(images(text.encode(), "m.yaml")) == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("spec: {containers: [{name: a}]}", "a container without an image"),
        ("spec: {containers: [{name: a, image: ''}]}", "a text is expected"),
        ("spec: {containers: [{name: a, image: [x]}]}", "a text is expected"),
        ("spec:\n  containers: []\n  containers: [{image: x}]\n", "stands here again"),
        ("a: &a [{image: x}]\nspec: {containers: *a}\n", "aliases are not taken"),
        ("a: {", "not YAML"),
        ("a: \xff", "not UTF-8"),
        ("[" * 200 + "]" * 200, "nested deeper"),
    ],
)
def test_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        images(text.encode("latin-1"), "m.yaml")
