# One image for web, workers and migrations: the command decides.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN python -m venv /opt/scaicms \
    && /opt/scaicms/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY scaicms scaicms
RUN /opt/scaicms/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/scaicms scaicms
COPY --from=build /opt/scaicms /opt/scaicms
COPY workers /opt/scaicms/app/workers
ENV PATH="/opt/scaicms/bin:$PATH" \
    PYTHONPATH=/opt/scaicms/app \
    PYTHONUNBUFFERED=1 \
    SCAICMS_HOST=0.0.0.0 \
    SCAICMS_HOME=/var/lib/scaicms
USER 10001
WORKDIR /var/lib/scaicms
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["scaicms", "serve"]
