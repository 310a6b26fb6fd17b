# Portico in one image: `docker build --tag portico:0.1.0 .`; how to run it: docs/deploy.md.
#
# Everything installed is checked against the hashes in requirements/. The last stage has Python,
# Portico and nothing that installs or compiles; it needs no package of the system beyond the base.
ARG PYTHON=3.13.9-slim-trixie

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /opt/source

# Tools of this stage alone.
COPY requirements/uv.txt requirements/build.txt requirements/
RUN python -m venv /opt/tools && \
    /opt/tools/bin/python -m pip install --require-hashes --only-binary :all: \
        -r requirements/uv.txt -r requirements/build.txt

# What Portico needs comes before its code: changed code does not install it anew.
COPY requirements/run.txt requirements/
RUN python -m venv --without-pip /opt/portico && \
    /opt/tools/bin/uv pip install --python /opt/portico/bin/python --compile-bytecode \
        --require-hashes --only-binary :all: -r requirements/run.txt

COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN /opt/tools/bin/hatchling build --target wheel && \
    /opt/tools/bin/uv pip install --python /opt/portico/bin/python --compile-bytecode \
        --offline --no-deps dist/portico-*.whl


FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Portico" \
      org.opencontainers.image.description="A credit-metered gateway for generated text, image and video" \
      org.opencontainers.image.licenses="Apache-2.0"

# A number, so that a cluster can see that it is not root; the folder is where a volume goes.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip && \
    groupadd --gid 10001 portico && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/portico \
        --shell /usr/sbin/nologin portico && \
    install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/portico
COPY --from=build /opt/portico /opt/portico

ENV PATH=/opt/portico/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PORTICO_DATA=/var/lib/portico \
    PORTICO_HOST=0.0.0.0 \
    PORTICO_PORT=8080 \
    PORTICO_LOG_JSON=true
USER 10001:10001
WORKDIR /var/lib/portico
# Beside this folder only /tmp is written: the root file system may be read-only.
VOLUME /var/lib/portico
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s --start-interval=2s CMD ["portico", "health"]
ENTRYPOINT ["portico"]
CMD ["serve"]
