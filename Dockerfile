# Build: the pinned wheels into a virtual environment; run: that environment, as nobody in particular.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv /opt/vigie \
 && /opt/vigie/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY vigie/ vigie/
COPY ingest/ ingest/
COPY analysis/ analysis/
COPY api/ api/
COPY dashboards/ dashboards/
RUN /opt/vigie/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /var/lib/vigie vigie \
 && mkdir -p /var/lib/vigie/data && chown vigie /var/lib/vigie/data
COPY --from=build /opt/vigie /opt/vigie
ENV PATH=/opt/vigie/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    VIGIE_DATA_DIR=/var/lib/vigie/data
USER vigie
WORKDIR /var/lib/vigie
VOLUME /var/lib/vigie/data
EXPOSE 8000
ENTRYPOINT ["vigie"]
CMD ["up", "--host", "0.0.0.0"]
