"""Job manifests of the executor for Kubernetes, made by itself with a client that sends nothing."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from workflow_copy import ROOT

WHY = "requirements-cluster.txt is not installed"
kubernetes = pytest.importorskip("kubernetes", reason=WHY)
executor = pytest.importorskip("snakemake_executor_plugin_kubernetes", reason=WHY)

DEFAULTS = yaml.safe_load((ROOT / "profiles/kubernetes/config.yaml").read_text())["default-resources"]


def manifest(resources: dict[str, Any]) -> dict[str, Any]:
    """Return the job that the executor would send, as JSON."""
    sent: list[Any] = []
    client = executor.Executor.__new__(executor.Executor)
    client.__dict__ |= {
        "logger": logging.getLogger("test"),
        "run_namespace": "run",
        "namespace": "default",
        "container_image": "trtflow:1",
        "persistent_volumes": [],
        "k8s_cpu_scalar": 0.95,
        "k8s_service_account_name": None,
        "secret_envvars": {},
        "privileged": False,
        "workflow": SimpleNamespace(deployment_settings=SimpleNamespace(deployment_method=set())),
        "batchapi": SimpleNamespace(
            create_namespaced_job=lambda _, body: sent.append(body) or SimpleNamespace(metadata=body.metadata)
        ),
        "_kubernetes_retry": lambda function: function(),
        "format_job_exec": lambda _: "python -m snakemake",
        "report_job_submission": lambda _: None,
    }
    job = SimpleNamespace(resources=DEFAULTS | resources, jobid=1, attempt=1, is_containerized=False)
    client.run_job(job)
    return kubernetes.client.ApiClient().sanitize_for_serialization(sent[0])


def pod_of(job: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the pod and the resources of its container, after the client's own models took the manifest back."""
    response = SimpleNamespace(data=json.dumps(job))
    read = kubernetes.client.ApiClient().deserialize(response, "V1Job")
    assert kubernetes.client.ApiClient().sanitize_for_serialization(read) == job
    pod = job["spec"]["template"]["spec"]
    return pod, pod["containers"][0]["resources"]


def test_job_with_an_engine_asks_for_a_gpu() -> None:
    pod, resources = pod_of(manifest({"gpu": 1, "mem_mb": 3000, "_cores": 2}))
    assert resources["limits"] == {"cpu": "2000m", "memory": "3000M", "nvidia.com/gpu": "1"}
    assert [item["key"] for item in pod["tolerations"]] == ["nvidia.com/gpu"]
    assert pod["restartPolicy"] == "Never"


def test_job_without_an_engine_asks_for_none() -> None:
    pod, resources = pod_of(manifest({"mem_mb": 500, "_cores": 1}))
    assert resources == {
        "requests": {"cpu": "950m", "memory": "500M"},
        "limits": {"cpu": "1000m", "memory": "500M"},
    }
    assert "tolerations" not in pod
