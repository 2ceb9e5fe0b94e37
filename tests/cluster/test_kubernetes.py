# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/kubernetes, without a cluster: the manifests fit the schema of the API, and their
command lines do what they should, under the restrictions that they ask for."""

import os
import re
import subprocess

import pytest

from conftest import ROOT
from oracle import checksum, write_image

yaml = pytest.importorskip("yaml", reason="no python3-yaml")

EXAMPLES = ROOT / "examples/kubernetes"
FILES = ["hash.yaml", "part.yaml", "merge.yaml"]
PARTS = 16


def documents(name):
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


def job(name):
    [found] = [one for one in documents(name) if one["kind"] == "Job"]
    return found["spec"]


def pod(name):
    return job(name)["template"]["spec"]


# --- what the manifests say -----------------------------------------------

@pytest.mark.parametrize("name", FILES)
def test_schema(name):
    schema = pytest.importorskip("kubernetes_schema", reason="no python3-kubernetes")
    for document in documents(name):
        schema.check_object(document)


@pytest.mark.parametrize("change, message", [
    (lambda job: job["spec"].update(completionmode="Indexed"), "no field completionmode"),
    (lambda job: job["spec"].update(completions="16"), "not a int"),
    (lambda job: job["spec"].pop("template"), "`template`, must not be `None`"),
    (lambda job: job["spec"]["podFailurePolicy"]["rules"][0].update(onExit=1), "no field onExit"),
    (lambda job: job["spec"]["template"]["spec"]["containers"][0]["securityContext"]
     .update(readOnlyRootFileSystem=True), "no field readOnlyRootFileSystem"),
    (lambda job: job["spec"]["template"]["spec"]["containers"][0]["env"][0].update(value=16),
     "not a str")])
def test_schema_finds_faults(change, message):
    schema = pytest.importorskip("kubernetes_schema", reason="no python3-kubernetes")
    document = documents("hash.yaml")[1]
    change(document)
    with pytest.raises((AssertionError, ValueError), match=re.escape(message)):
        schema.check_object(document)


@pytest.mark.parametrize("name", FILES)
def test_restricted(name):
    """What the Pod Security Standard 'restricted' asks for, and more."""
    spec = pod(name)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    [container] = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]}}
    assert "memory" in container["resources"]["limits"]
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    # Each is mounted.
    assert sorted(volume["name"] for volume in spec["volumes"]) == \
        sorted(mount["name"] for mount in container["volumeMounts"])


def test_indexed():
    spec = job("hash.yaml")
    [parts] = [one["value"] for one in pod("hash.yaml")["containers"][0]["env"]
               if one["name"] == "PARTS"]
    assert (spec["completionMode"], spec["completions"], parts) == ("Indexed", PARTS, str(PARTS))
    # Limits for each index require it.
    assert spec["backoffLimitPerIndex"] > 0 and pod("hash.yaml")["restartPolicy"] == "Never"


def test_part_is_that_of_the_array():
    """It has the same pod, but is told its index."""
    one, all = pod("part.yaml"), pod("hash.yaml")
    index = one["containers"][0]["env"].pop()
    assert one == all
    assert index["name"] == "JOB_COMPLETION_INDEX"


def test_dockerfile():
    """It runs what is here, and the user is that of the manifests."""
    text = (ROOT / "Dockerfile").read_text()
    packages = re.findall(r"\.\./(\S+)_\*\.deb", text)
    control = (ROOT / "debian/control").read_text()
    assert packages == ["disksum", "libblkhash1"]
    assert all(f"\nPackage: {name}\n" in control for name in packages)
    security = pod("hash.yaml")["securityContext"]
    assert f"USER {security['runAsUser']}:{security['runAsGroup']}\n" in text
    for command in re.findall(r"^RUN (scripts/\S+)", text, re.M):
        assert os.access(ROOT / command, os.X_OK)


# --- what they run ------------------------------------------------------------

@pytest.fixture
def run(tmp_path):
    """Run the container of a manifest. The claims are the directories of their names."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"],
                                           stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no mount namespaces")
    import pods
    claims = {name: tmp_path / name for name in ("images", "disksum-lists")}
    for path in claims.values():
        path.mkdir()
    (tmp_path / "root").mkdir()
    group = pod("hash.yaml")["securityContext"]["fsGroup"]
    os.chown(claims["disksum-lists"], 0, group)
    claims["disksum-lists"].chmod(0o2770)

    def run(name, **variables):
        return pods.run(pod(name), claims, tmp_path / "root", variables)
    return run


@pytest.fixture
def expected(run, tmp_path):
    content = write_image(tmp_path / "raw", "9M:A 5M:- 100000:0 3M:B")
    subprocess.run(["qemu-img", "convert", "-c", "-O", "qcow2", "raw", "images/disk.qcow2"],
                   cwd=tmp_path, check=True)
    return f"{checksum(content)}  /images/disk.qcow2\n"


def index_all(run, *but):
    for index in range(PARTS):
        if index not in but:
            done = run("hash.yaml", JOB_COMPLETION_INDEX=str(index))
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_job_and_merge(run, expected, tmp_path):
    index_all(run)
    done = run("merge.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
    lists = sorted(os.listdir(tmp_path / "disksum-lists"))
    assert lists == sorted(["disk.blkhash", *(f"part-{i}.blkhash" for i in range(PARTS))])


def test_part_that_failed(run, expected, tmp_path):
    """The merge says which. part.yaml is for part 7."""
    index_all(run, 6)
    done = run("merge.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "disksum: /images/disk.qcow2: part 7/16 is missing\n"
    done = run("part.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run("merge.yaml").stdout == expected


def test_wrong_index(run, expected):
    """More completions than PARTS."""
    done = run("hash.yaml", JOB_COMPLETION_INDEX=str(PARTS))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "disksum: --shard=kubernetes/16: JOB_COMPLETION_INDEX is 16, " \
        "not 0 to 15\n"


def test_restrictions_hold(run, tmp_path):
    """So what the tests above show is shown under them."""
    import pods
    spec = pod("hash.yaml")
    claims = {name: tmp_path / name for name in ("images", "disksum-lists")}
    spec["containers"][0] |= {"command": ["sh", "-c"], "args": [
        "id -u; touch /x || touch /images/x || touch /usr/x || touch /lists/x && "
        "touch /tmp/x && grep -c '^Cap...:.*[1-9a-f]' /proc/self/status; "
        "grep NoNewPrivs /proc/self/status"]}
    done = pods.run(spec, claims, tmp_path / "root")
    assert done.stdout.split() == ["65532", "0", "NoNewPrivs:", "1"], done.stderr
    assert done.stderr.count("Read-only file system") == 2
    assert done.stderr.count("Permission denied") == 1
