# The router as a container: UBI 9, Python 3.12, any user id, read-only root.
ARG BASE=registry.access.redhat.com/ubi9/python-312-minimal:latest

FROM ${BASE} AS build
USER 0
WORKDIR /src
COPY pyproject.toml README.md ./
COPY router router
COPY sitectl sitectl
COPY certs certs
RUN python3 -m venv /opt/spillway \
 && /opt/spillway/bin/pip install --no-cache-dir --disable-pip-version-check '.[kubernetes]' \
 && rm -rf /opt/spillway/bin/pip* /opt/spillway/lib/python3*/site-packages/pip*
USER 1001

FROM ${BASE}
LABEL name="spillway-router" \
      summary="A site router: fill local targets, spill to the next cheapest site" \
      io.k8s.display-name="Spillway router"
USER 0
COPY --from=build /opt/spillway /opt/spillway
# Any user id of group 0 may run it (OpenShift's restricted SCC); state is a mounted volume.
RUN mkdir -p /var/lib/spillway && chgrp -R 0 /var/lib/spillway && chmod -R g=u /var/lib/spillway
ENV PATH=/opt/spillway/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SITECTL_STATE=/var/lib/spillway
USER 1001
VOLUME /var/lib/spillway
EXPOSE 55671 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["sitectl"]
CMD ["run"]
