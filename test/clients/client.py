"""Debian's python3-kubernetes against an engine: creates, watches, execs, and deletes a pod. Says one line a step."""
import sys

from kubernetes import client, config, watch
from kubernetes.stream import stream

image = sys.argv[1]
config.load_kube_config()
core = client.CoreV1Api()

pod = client.V1Pod(
    metadata=client.V1ObjectMeta(name="python", labels={"app": "python"}),
    spec=client.V1PodSpec(
        termination_grace_period_seconds=1,
        containers=[client.V1Container(name="main", image=image, command=["sh", "-c", "echo hello; exec sleep 3600"])],
    ),
)
made = core.create_namespaced_pod("default", pod)
print("created", made.metadata.name, made.metadata.creation_timestamp.year > 2000)

phases = []
watcher = watch.Watch()
for event in watcher.stream(core.list_namespaced_pod, "default", label_selector="app=python", timeout_seconds=60):
    phase = event["object"].status.phase
    if not phases or phases[-1] != phase:
        phases.append(phase)
    statuses = event["object"].status.container_statuses or []
    if phase == "Running" and all(status.ready for status in statuses):
        watcher.stop()
print("watched", " ".join(phases))

said = stream(
    core.connect_get_namespaced_pod_exec,
    "python",
    "default",
    command=["sh", "-c", "echo out; echo err >&2"],
    stderr=True,
    stdin=False,
    stdout=True,
    tty=False,
)
print("executed", sorted(said.split()))

shell = stream(
    core.connect_get_namespaced_pod_exec,
    "python",
    "default",
    command=["sh", "-c", "read x; echo got $x; exit 4"],
    stderr=True,
    stdin=True,
    stdout=True,
    tty=False,
    _preload_content=False,
)
shell.write_stdin("input\n")
shell.run_forever(timeout=30)
print("answered", shell.read_stdout().strip(), shell.returncode)

print("logged", core.read_namespaced_pod_log("python", "default").strip())

body = {"metadata": {"annotations": {"by": "python"}}}
print("patched", core.patch_namespaced_pod("python", "default", body).metadata.annotations["by"])

try:
    core.create_namespaced_pod("default", pod)
except client.ApiException as error:
    print("refused", error.status, error.reason)

before = core.list_namespaced_pod("default").metadata.resource_version
core.delete_namespaced_pod("python", "default", grace_period_seconds=0)
watcher = watch.Watch()
for event in watcher.stream(core.list_namespaced_pod, "default", resource_version=before, timeout_seconds=60):
    if event["type"] == "DELETED":
        watcher.stop()
print("deleted", len(core.list_namespaced_pod("default").items))
