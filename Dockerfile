# Written where no container engine was at hand: not built yet.
FROM python:3.12-slim AS build
WORKDIR /app
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.12-slim
# implicit and scikit-learn compute with OpenMP.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 nbo && install -d -o nbo /var/lib/nbo
WORKDIR /app
COPY --from=build /venv /venv
COPY data data
COPY segmentation segmentation
COPY recommender recommender
COPY evaluation evaluation
COPY api api
ENV PATH=/venv/bin:$PATH NBO_HOME=/var/lib/nbo PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER nbo
VOLUME /var/lib/nbo
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
# A public address needs an API key first: docker compose run service python -m api keys add NAME --scope write
CMD ["python", "-m", "api", "--host", "0.0.0.0"]
