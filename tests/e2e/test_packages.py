# SPDX-License-Identifier: LGPL-2.1-or-later
"""The packages of Debian are built and looked into, and do what their own
tests ask. The spec of RPM is read."""

import os
import pathlib
import re
import shutil
import subprocess


def run(*command, **kwargs):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **kwargs)
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"{command}:\n{output}"
    return output


def copy_of_the_tree(root, directory):
    """Without what was built in it, and without the copy: TMPDIR may be in the tree."""
    patterns = shutil.ignore_patterns(".*", "build*", "obj-*", "__pycache__")

    def ignore(path, names):
        inside = {name for name in names
                  if (pathlib.Path(path) / name).resolve() in directory.resolve().parents}
        return patterns(path, names) | inside
    shutil.copytree(root, directory, ignore=ignore)


def versions(root):
    """Of meson.build, debian/changelog, and rpm/disksum.spec."""
    meson = re.search(r"version: '(.*?)'", (root / "meson.build").read_text())
    changelog = re.match(r"disksum \((.*)-\d+\) ",
                         (root / "debian/changelog").read_text())
    spec = (root / "rpm/disksum.spec").read_text()
    return [meson[1], changelog[1],
            re.search(r"^Version:\s*(.*)$", spec, re.M)[1],
            re.search(r"^%changelog\n.* - (.*)-\d+$", spec, re.M)[1],
            *re.findall(r"disksum-([\d.]+)(?:/|\.tar\.gz)", spec)]


# --- Debian --------------------------------------------------------------

# What is in a package, beside documents.
CONTENT = {
    "disksum": """
        bin/disksum
        share/bash-completion/completions/disksum
        share/fish/vendor_completions.d/disksum.fish
        share/man/man1/disksum.1.gz
        share/zsh/vendor-completions/_disksum""",
    "disksum-mpi": """
        bin/disksum-mpi
        share/man/man1/disksum-mpi.1.gz""",
    "libblkhash1": """
        lib/TUPLE/libblkhash.so.1
        lib/TUPLE/libblkhash.so.1.0.0""",
    "libblkhash-dev": """
        include/blkhash.h
        lib/TUPLE/libblkhash.a
        lib/TUPLE/libblkhash.so
        lib/TUPLE/pkgconfig/blkhash.pc
        share/man/man3/blkhash.3.gz""",
}


# The library of another project has the same names for developers: blkhash.h,
# libblkhash.so and blkhash.pc. For programs it is libblkhash.so.0, beside ours.
CONFLICTS = {
    "debian": {"libblkhash-dev": "blkhash-dev"},
    "rpm": {"libblkhash-devel": "blkhash-devel"},
}


def build_packages(source):
    """In a hurry: what the compiler could do better does not change what is in
    a package. Fails if the library has other symbols than are listed."""
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKEFLAGS", "MFLAGS")}
    run("dpkg-buildpackage", "-b", "-us", "-uc", cwd=source, env={
        **env, "DEB_BUILD_OPTIONS": "nocheck noautodbgsym noopt",
        "DEB_CFLAGS_APPEND": "-g0"})


def files_of(package):
    """Their names below /usr."""
    names = re.findall(r" \./usr/(\S*[^/\s])(?: -> .*)?$",
                       run("dpkg-deb", "-c", package), re.M)
    return sorted(name for name in names
                  if not name.startswith(("share/doc/", "share/lintian/")))


def test_debian(root, tmp_path):
    source = tmp_path / "disksum"
    copy_of_the_tree(root, source)
    build_packages(source)
    run("lintian", "--fail-on", "error", *tmp_path.glob("*.changes"))

    tuple = run("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
    packages = {path.name.split("_")[0]: path
                for path in tmp_path.glob("*.deb")}
    assert sorted(packages) == sorted(CONTENT)
    for name, path in packages.items():
        assert files_of(path) == CONTENT[name].replace("TUPLE", tuple).split()
        assert run("dpkg-deb", "-f", path, "Conflicts").strip() == \
            CONFLICTS["debian"].get(name, "")

    # Installed elsewhere, they pass the tests for those who install them.
    installed = tmp_path / "installed"
    for path in packages.values():
        run("dpkg-deb", "-x", path, installed)
    libraries = installed / "usr/lib" / tuple
    env = {**os.environ, "PATH": f"{installed}/usr/bin:{os.environ['PATH']}",
           "LD_LIBRARY_PATH": str(libraries),
           "PKG_CONFIG_PATH": f"{libraries}/pkgconfig",
           "PKG_CONFIG_SYSROOT_DIR": str(installed)}
    tests = re.findall(r"^Tests: (.*)$",
                       (source / "debian/tests/control").read_text(), re.M)
    assert tests == ["command", "library"]
    for test in tests:
        (tmp_path / test).mkdir()
        run(source / "debian/tests" / test, cwd=source,
            env={**env, "AUTOPKGTEST_TMP": str(tmp_path / test)})


def test_build_dependencies(root):
    """They are what 'make' needs, without what is on all machines that build
    packages."""
    [build] = re.findall(r"build\) echo (.*?);;", (
        root / "scripts/install-packages").read_text(), re.S)
    [needed] = re.findall(r"^Build-Depends: (.*?)^\S", (
        root / "debian/control").read_text(), re.M | re.S)
    assert set(re.split(r",\s*", needed.strip())) == \
        set(build.replace("\\", "").split()) - {"gcc", "libc6-dev", "make"} | \
        {"debhelper-compat (= 13)", "libcmocka-dev <!nocheck>", "libopenmpi-dev"}


# --- RPM -----------------------------------------------------------------

def test_rpm(root):
    version = versions(root)[0]
    out = run("rpmspec", "-q", "--qf", "%{name} %{version}\n",
              root / "rpm/disksum.spec")
    assert out.splitlines() == [f"{name} {version}" for name in
                                ("disksum", "disksum-openmpi", "libblkhash",
                                 "libblkhash-devel")]
    assert "%check" in run("rpmspec", "-P", root / "rpm/disksum.spec")
    out = run("rpmspec", "-q", "--qf", "[%{name} %{conflicts}\n]",
              root / "rpm/disksum.spec")
    conflicts = dict(map(str.split, out.splitlines()))
    assert {name: other for name, other in conflicts.items()
            if other != "(none)"} == CONFLICTS["rpm"]


def test_versions(disksum, root):
    command = disksum("--version").stdout.split()[1]
    assert set(versions(root)) == {command}
