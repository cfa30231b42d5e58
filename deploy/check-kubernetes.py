"""Holds deploy/kubernetes/lethe.yaml against the rules for its pods and against the units of deploy/systemd.

With a second file, that is the chart as Helm expands it now: the two must hold the same.
"""

import hashlib
import json
import pathlib
import re
import sys

import yaml

here = pathlib.Path(__file__).parent
chart = here / "helm" / "lethe"
wrong = []


def check(holds, text):
    if not holds:
        wrong.append(text)


def fingerprint():
    """Of all that the manifests are made from."""
    digest = hashlib.sha256()
    for path in sorted(p for p in chart.rglob("*") if p.is_file()) + [here / "kubernetes" / "values.yaml"]:
        digest.update(f"{path.relative_to(here)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def objects(path):
    return [found for found in yaml.safe_load_all(path.read_text()) if found]


def name(found):
    return f"{found['kind']}/{found['metadata']['name']}"


def pod_of(found):
    spec = found["spec"]
    if found["kind"] == "CronJob":
        check(spec["concurrencyPolicy"] == "Forbid", f"{name(found)} may run twice at once")
        spec = spec["jobTemplate"]["spec"]
        check(spec["backoffLimit"] == 0, f"{name(found)} hides an exit code by running again")
    else:
        check((spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate"), f"{name(found)} may run twice at once")
    return spec["template"]["spec"]


def check_pod(what, pod):
    check(pod.get("automountServiceAccountToken") is False, f"{what} gets a token of the cluster")
    for field in ["hostNetwork", "hostPID", "hostIPC"]:
        check(not pod.get(field), f"{what} has {field}")
    security = pod.get("securityContext", {})
    check(security.get("runAsNonRoot") is True and security.get("runAsUser", 0) > 0, f"{what} may run as root")
    check(security.get("seccompProfile") == {"type": "RuntimeDefault"}, f"{what} has no seccomp profile")
    for volume in pod["volumes"]:
        kinds = set(volume) - {"name"}
        check(kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected"}, f"{what} mounts {kinds}")
        if volume["name"] == "keys":
            check(volume["emptyDir"].get("medium") == "Memory", f"{what} puts keys on a disk")
    for container in pod.get("initContainers", []) + pod["containers"]:
        own = f"{what}, container {container['name']}"
        security = container.get("securityContext", {})
        check(security.get("allowPrivilegeEscalation") is False, f"{own} may gain privileges")
        check(security.get("readOnlyRootFilesystem") is True, f"{own} may write to its image")
        check(security.get("capabilities") == {"drop": ["ALL"]}, f"{own} keeps capabilities")
        check(not security.get("privileged"), f"{own} is privileged")
        resources = container.get("resources", {})
        check({"cpu", "memory"} <= set(resources.get("requests", {})), f"{own} asks for no resources")
        check("memory" in resources.get("limits", {}), f"{own} has no limit of memory")


def keys_of(pod):
    """Which keys the pod can read, and that its program is told of the same."""
    sources = [s for v in pod["volumes"] if "projected" in v for s in v["projected"]["sources"]]
    keys = {item["path"] for source in sources for item in source["secret"]["items"]}
    told = {e["value"] for e in pod["containers"][0]["env"] if e["name"].endswith("_FILE")}
    check(told == {f"/keys/{key}" for key in keys}, f"{pod['serviceAccountName']} is told of {told}")
    return keys


def unit(job):
    """What the unit of systemd runs, and which keys it loads."""
    text = (here / "systemd" / f"lethe-{job}.service").read_text()
    command = re.search(r"(?m)^ExecStart=/usr/bin/lethe (.*)$", text)
    files = {"lethe.naming-key": "namingKey", "lethe.key": "identity"}
    keys = {files[file] for file in re.findall(r"(?m)^LoadCredential=([^:]+):", text)}
    return command and command[1].split(), keys


def check_values(values, schema, path="values"):
    for key, value in values.items():
        part = schema.get("properties", {}).get(key)
        if part is None:
            check("additionalProperties" in schema and schema["additionalProperties"] is not False, f"{path}.{key} is in no schema")
        elif isinstance(value, dict) and "$ref" not in part:
            check(part.get("additionalProperties") is not None, f"the schema of {path}.{key} lets everything through")
            check_values(value, part, f"{path}.{key}")


def check_all(found):
    jobs = {}
    for one in found:
        if one["kind"] not in {"CronJob", "Deployment"}:
            continue
        pod = pod_of(one)
        check_pod(name(one), pod)
        job = one["metadata"]["labels"]["app.kubernetes.io/component"]
        check(pod["serviceAccountName"] == f"lethe-{job}", f"{name(one)} is somebody else")
        jobs.setdefault(job, []).append((one, pod))
    units = {path.stem.removeprefix("lethe-") for path in (here / "systemd").glob("lethe-*.service")}
    # The cluster tells its own monitoring which Jobs failed; what lethe metrics writes is for node_exporter on a host.
    units -= {"metrics"}
    check(units == set(jobs), f"the units are {sorted(units)}, the jobs {sorted(jobs)}")
    for job, runs in jobs.items():
        arguments, keys = unit(job)
        for one, pod in runs:
            check(keys_of(pod) == keys, f"{name(one)} has the keys {sorted(keys_of(pod))}, its unit {sorted(keys)}")
            # A host starts a server for its drill; in a cluster there is one that is named.
            if arguments and job != "drill":
                check(pod["containers"][0]["args"] == arguments, f"{name(one)} and its unit do not run the same")
    parts = {(one["spec"]["schedule"][-1], pod["containers"][0]["args"][-1]) for one, pod in jobs.get("verify", [])}
    week = {(str(day % 7), f"--read-data={day}/7") for day in range(1, 8)}
    check(parts == week, f"a week of lethe verify does not read everything: {sorted(parts)}")
    for one in found:
        check(one["kind"] not in {"Secret", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}, f"{name(one)} has no place here")
        if one["kind"] == "ServiceAccount":
            check(one.get("automountServiceAccountToken") is False, f"{name(one)} hands out its token")


manifests = here / "kubernetes" / "lethe.yaml"
if sys.argv[1:2] == ["--fingerprint"]:
    print(fingerprint())
    sys.exit()
check(fingerprint() in manifests.read_text().split("\n", 1)[0], "the chart has changed: deploy/check-kubernetes.sh --write")
found = objects(manifests)
check_all(found)
check_values(yaml.safe_load((chart / "values.yaml").read_text()), json.loads((chart / "values.schema.json").read_text()))
if len(sys.argv) > 1:
    expanded = {name(one): one for one in objects(pathlib.Path(sys.argv[1]))}
    check(expanded == {name(one): one for one in found}, "lethe.yaml is not what the chart gives: deploy/check-kubernetes.sh --write")
if wrong:
    sys.exit("\n".join(f"kubernetes: {text}" for text in wrong))
