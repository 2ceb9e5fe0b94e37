# SPDX-License-Identifier: LGPL-2.1-or-later
#
# An image with disksum, for examples/kubernetes:
#
#     docker build -t registry.example.com/disksum:1.0.0 .
#
# Builds the Debian packages of this tree, and installs those of the command. Add
# qemu-utils to the last stage for formats that only QEMU reads.

FROM debian:12 AS build
WORKDIR /build/disksum
COPY . .
RUN scripts/install-packages build deb
RUN DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -b -us -uc \
    && mkdir /packages \
    && mv ../disksum_*.deb ../libblkhash1_*.deb /packages

FROM debian:12
RUN --mount=type=bind,from=build,source=/packages,target=/packages \
    apt-get update \
    && apt-get install -y --no-install-recommends /packages/*.deb \
    && rm -rf /var/lib/apt/lists/*
USER 65532:65532
ENTRYPOINT ["disksum"]
