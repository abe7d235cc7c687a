# The router as a container: UBI 9, Python 3.12, any user id, read-only root (docs/image.md).
#
# BASE is any image with Python 3.11 or newer, glibc and a shell; it is pinned by tag and digest
# (of the list for all architectures). To pin another: docs/image.md.
#
# No program of the image runs while it is built, so that another architecture takes no emulator:
# `build` has the platform of the machine that builds and chooses wheels for that of the image
# (TARGETARCH); the last stage only copies. With podman scripts/image gives `files` as a directory:
# podman takes the base of the first stage for the last, too, where both have the same name.
ARG BASE=registry.access.redhat.com/ubi9/python-312-minimal:9.8-1784732125@sha256:fb32c8ad908b78f1595282639a7870028d436579eb73890635b6b867e65faf63
ARG BUILDPLATFORM

# hadolint ignore=DL3029
FROM --platform=${BUILDPLATFORM} ${BASE} AS build
# hadolint ignore=DL3002
USER 0
WORKDIR /build
# With a directory `wheels` (make wheels) nothing is fetched: its content lands here too.
COPY deploy/image/assemble deploy/image/requirements.txt deploy/image/build.txt wheel[s] ./
COPY pyproject.toml README.md LICENSE THIRD_PARTY.md ./source/
COPY router ./source/router
COPY sitectl ./source/sitectl
COPY certs ./source/certs
COPY simulator ./source/simulator
ARG TARGETARCH
RUN sh ./assemble /opt/spillway "${TARGETARCH}"
# Any user id of group 0 may run it (OpenShift's restricted SCC); state is a mounted volume.
RUN mkdir -p /root-of-image/opt /root-of-image/var/lib/spillway && \
    mv /opt/spillway /root-of-image/opt/ && \
    chmod 0771 /root-of-image/var/lib/spillway && chgrp 0 /root-of-image/var/lib/spillway

FROM scratch AS files
COPY --from=build /root-of-image /

FROM ${BASE}
ARG VERSION=dev
ARG REVISION=unknown
ARG SOURCE=
LABEL name="spillway-router" \
      vendor="Spillway" \
      version="${VERSION}" \
      summary="A site router: fill local targets, spill to the next cheapest site" \
      description="A site router: fill local targets, spill to the next cheapest site" \
      io.k8s.display-name="Spillway router" \
      io.k8s.description="A site router: fill local targets, spill to the next cheapest site" \
      io.openshift.tags="" \
      org.opencontainers.image.title="spillway-router" \
      org.opencontainers.image.description="A site router: fill local targets, spill to the next cheapest site" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      dev.spillway.sbom="/usr/share/spillway/sbom.json"
USER 0
COPY --from=files / /
COPY deploy/image/sbom.cdx.json /usr/share/spillway/sbom.json
ENV PATH=/opt/spillway/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    PYTHONSAFEPATH=1 \
    SITECTL_STATE=/var/lib/spillway
WORKDIR /tmp
USER 1001
EXPOSE 55671 9090
STOPSIGNAL SIGTERM
# Of the docker format; Kubernetes asks its own probes, Quadlet files have theirs.
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s --retries=3 CMD ["sitectl", "health"]
ENTRYPOINT ["sitectl"]
CMD ["run"]
