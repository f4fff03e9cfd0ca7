"""Manifests of planned jobs, made by the executor for Kubernetes itself with a client that sends nothing."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from workflow_copy import SMALL, copy

WHY = "requirements-cluster.txt is not installed"
kubernetes = pytest.importorskip("kubernetes", reason=WHY)
executor = pytest.importorskip("snakemake_executor_plugin_kubernetes", reason=WHY)
from snakemake import cli  # noqa: E402 - takes seconds
from snakemake.api import DAGApi  # noqa: E402

PLAN = ("--workflow-profile", "profiles/kubernetes", "--dag", "dot", "results/ssd_report.json", "--config", SMALL)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return a job of each rule, by name, as Snakemake has it with the profile once its inputs are there."""
    folder = tmp_path_factory.mktemp("planned")
    copy(folder)
    planned: list[Any] = []

    def keep(api: DAGApi) -> None:
        workflow = api.workflow_api._workflow
        workflow.printdag()
        workflow.iocache.deactivate()  # as before a run: look at files anew
        planned.extend(workflow.dag.jobs)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(DAGApi, "printdag", keep)
        parser, arguments = cli.parse_args([*PLAN, "backend=tensorrt"])
        assert cli.args_to_api(arguments, parser)
        for job in planned:
            make_inputs(job)
    return {job.rule.name: job for job in planned}


def make_inputs(job: Any) -> None:
    """Let the inputs of a job be there, empty, and what it asks for be reckoned again: the disk is from their sizes."""
    for path in map(Path, job.input):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    job.reset_params_and_resources()
    assert job.resources["disk_mb"]  # reckoned here, where the inputs are found


def manifest(job: Any) -> dict[str, Any]:
    """Return what the executor would send for a planned job, as JSON."""
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
    client.run_job(job)
    return kubernetes.client.ApiClient().sanitize_for_serialization(sent[0])


def pod_of(job: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the pod and the resources of its container, after the client's own models took the manifest back."""
    response = SimpleNamespace(data=json.dumps(job))
    read = kubernetes.client.ApiClient().deserialize(response, "V1Job")
    assert kubernetes.client.ApiClient().sanitize_for_serialization(read) == job
    pod = job["spec"]["template"]["spec"]
    return pod, pod["containers"][0]["resources"]


def test_job_with_an_engine_asks_for_a_gpu(jobs: dict[str, Any]) -> None:
    pod, resources = pod_of(manifest(jobs["build_engine"]))
    assert resources["limits"] == {
        "cpu": "2000m",
        "memory": "3000M",
        "ephemeral-storage": "1000M",
        "nvidia.com/gpu": "1",
    }
    assert [item["key"] for item in pod["tolerations"]] == ["nvidia.com/gpu"]
    assert pod["restartPolicy"] == "Never"


def test_job_without_an_engine_asks_for_none(jobs: dict[str, Any]) -> None:
    pod, resources = pod_of(manifest(jobs["score_detection"]))
    assert resources == {
        "requests": {"cpu": "950m", "memory": "1000M", "ephemeral-storage": "1000M"},
        "limits": {"cpu": "1000m", "memory": "1000M", "ephemeral-storage": "1000M"},
    }
    assert "tolerations" not in pod
