# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a container of a manifest on this machine, as a kubelet would have it run: its
command line with its variables, its volumes where they are mounted, a root that cannot be
written, the user, no capabilities, and no io_uring, as most runtimes have it."""

import re
import shlex
import subprocess

from conftest import BUILD

# The root has the programs of this machine, and disksum.
ROOT = """
set -e
mount --make-rprivate /
mount -t tmpfs none "$ROOT"
cd "$ROOT"
for name in bin sbin lib lib32 lib64 libx32; do
    [ ! -e /$name ] || ln -s usr/$name $name
done
mkdir usr etc proc dev opt
mount --rbind /usr usr
mount --bind /etc etc
mount --rbind /proc proc
mount --rbind /dev dev
mount --bind "$BUILD" opt
"""

RUN = """
mount -o remount,ro,bind "$ROOT" 2>/dev/null || mount -o remount,ro "$ROOT"
exec chroot "$ROOT" /opt/tests/refuse-calls EPERM \
    io_uring_setup,io_uring_enter,io_uring_register \
    setpriv --reuid="$USER_ID" --regid="$GROUP_ID" --clear-groups --no-new-privs \
    --inh-caps=-all --bounding-set=-all -- "$@"
"""


def expand(text, variables):
    """$(NAME) as Kubernetes replaces it: $$ is a dollar, and unknown names stay."""
    return re.sub(r"\$\$|\$\(([^)]*)\)",
                  lambda m: "$" if m[0] == "$$" else variables.get(m[1], m[0]), text)


def mounts(spec, container, claims):
    """Commands that mount its volumes. claims: the directories of the claims."""
    lines = []
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        path = '"$ROOT"' + shlex.quote(mount["mountPath"])
        lines.append(f"mkdir {path}")
        if "emptyDir" in volume:
            size = volume["emptyDir"]["sizeLimit"].rstrip("i")
            lines.append(f"mount -t tmpfs -o mode=1777,size={size} none {path}")
            continue
        claim = volume["persistentVolumeClaim"]
        lines.append(f"mount --bind {shlex.quote(str(claims[claim['claimName']]))} {path}")
        if mount.get("readOnly") or claim.get("readOnly"):
            lines.append(f"mount -o remount,ro,bind {path}")
    return "\n".join(lines)


def run(spec, claims, root, variables=None):
    """Run the container of a pod. root: an empty directory, which stays so."""
    [container] = spec["containers"]
    variables = {**(variables or {}),
                 **{one["name"]: one["value"] for one in container.get("env", [])}}
    command = [expand(word, variables)
               for word in [*container.get("command", ["disksum"]), *container["args"]]]
    script = ROOT + mounts(spec, container, claims) + RUN
    security = spec["securityContext"]
    environment = {**variables, "PATH": "/opt:/usr/sbin:/usr/bin", "ROOT": str(root),
                   "BUILD": str(BUILD.absolute()), "USER_ID": str(security["runAsUser"]),
                   "GROUP_ID": str(security["runAsGroup"])}
    return subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", *command], text=True,
                          env={**environment, "PATH": "/opt:/usr/sbin:/usr/bin:/sbin:/bin"},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
