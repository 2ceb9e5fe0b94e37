# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's packages for other CPUs, and its sources, in directories of their own: the
packages of this machine, and what apt knows of them, stay as they are."""

import pathlib
import re
import shutil
import subprocess


class Missing(Exception):
    """What cannot be had here, so a row is not tested. Says why."""


def entries():
    """(options, URIs, suites) for each line or paragraph of apt's sources."""
    for path in [pathlib.Path("/etc/apt/sources.list"),
                 *pathlib.Path("/etc/apt/sources.list.d").glob("*.list")]:
        for line in path.read_text().splitlines() if path.is_file() else []:
            found = re.match(r"deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s", line)
            if found:
                key = re.search(r"signed-by=(\S+)", found[1] or "")
                yield key and key[1], [found[2]], [found[3]]
    for path in pathlib.Path("/etc/apt/sources.list.d").glob("*.sources"):
        for paragraph in re.split(r"\n\s*\n", path.read_text()):
            fields = dict(re.findall(r"^([\w-]+):[ \t]*(\S.*)$", paragraph, re.M))
            yield (fields.get("Signed-By"), fields.get("URIs", "").split(),
                   fields.get("Suites", "").split())


def mirror():
    """The codename of this Debian, where it comes from, and its key, if one is named."""
    release = pathlib.Path("/etc/os-release").read_text()
    codename = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.M)
    for key, uris, suites in entries():
        if codename and codename[1] in suites:
            return codename[1], uris[0], key
    raise Missing("apt has no sources of Debian here")


class Apt:
    """An apt for another architecture or suite, on which nothing is installed. It has no
    updates of security: their sources are not on all mirrors."""

    def __init__(self, directory, architecture, kind="deb", suite=None):
        self.directory, self.archives = directory, directory / "cache/archives"
        codename, uri, key = mirror()
        shutil.rmtree(directory, ignore_errors=True)
        for name in "parts", "lists/partial", "cache/archives/partial":
            (directory / name).mkdir(parents=True)
        (directory / "status").touch()
        (directory / "parts/debian.sources").write_text(
            f"Types: {kind}\nURIs: {uri}\nSuites: {suite or codename}\nComponents: main\n"
            + (f"Signed-By: {key}\n" if key else ""))
        self.options = [word for option in (
            f"APT::Architecture={architecture}", f"APT::Architectures={architecture}",
            "APT::Install-Recommends=false", "APT::Sandbox::User=", "Debug::NoLocking=true",
            "Dir::Etc::sourcelist=/dev/null", f"Dir::Etc::sourceparts={directory}/parts",
            f"Dir::State::Lists={directory}/lists", f"Dir::State::status={directory}/status",
            f"Dir::Cache={directory}/cache") for word in ("-o", option)]
        self.run("update")

    def run(self, *arguments, cwd=None):
        done = subprocess.run(["apt-get", "-qq", *self.options, *arguments], cwd=cwd,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise Missing(f"apt-get {arguments[0]}: {(done.stdout.splitlines() or ['?'])[-1]}")


def complete(directory, wanted):
    """Whether an earlier run made the directory, of the same packages. Else it is empty."""
    mark = directory / ".complete"
    if mark.is_file() and mark.read_text() == wanted:
        return True
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return False


def sysroot(directory, architecture, packages, suite=None):
    """Unpack packages, and what they depend on, as the root of a machine."""
    wanted = " ".join([architecture, suite or "", *packages])
    if complete(directory, wanted):
        return
    apt = Apt(directory.with_name(directory.name + "-apt"), architecture, suite=suite)
    apt.run("install", "-y", "--download-only", *packages)
    for package in apt.archives.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, directory], check=True)
    # Debian 13 has only links in /lib, made by a package that is not among these.
    if not (directory / "lib").exists():
        (directory / "lib").symlink_to("usr/lib")
    shutil.rmtree(apt.directory)
    (directory / ".complete").write_text(wanted)


def sources(directory, names):
    """Unpack source packages, each in a directory of its name."""
    if complete(directory, " ".join(names)):
        return
    apt = Apt(directory.with_name(directory.name + "-apt"), "amd64", kind="deb-src")
    apt.run("source", "--download-only", *names, cwd=directory)
    for name in names:
        [description] = directory.glob(f"{name}_*.dsc")
        subprocess.run(["dpkg-source", "--no-check", "-x", description, directory / name],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.rmtree(apt.directory)
    (directory / ".complete").write_text(" ".join(names))
