# docker build -t placar .
# docker run -p 127.0.0.1:8000:8000 --memory 512m --cpus 0.5 -e PLACAR_ADMIN_KEY=... -v placar:/var/lib/placar placar
FROM python:3.11-slim

# LightGBM's wheel needs the OpenMP library, which the slim image lacks.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/placar --create-home placar

WORKDIR /app

COPY requirements/serving.txt requirements/training.txt requirements/
RUN pip install --no-cache-dir -r requirements/serving.txt -r requirements/training.txt

COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
RUN pip install --no-cache-dir --no-deps .
COPY gunicorn.conf.py ./
COPY scripts/check_memory.py scripts/startup.sh scripts/

ENV PORT=8000 \
    PLACAR_HOME=/var/lib/placar \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

USER 10001
# The database, the models, runs and tables. Without a volume of your own they go with the container.
VOLUME ["/var/lib/placar"]
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=4)"]

# A shell only to fill in $PORT; `exec` twice, so that gunicorn is the container's first process and
# gets its signals.
CMD ["sh", "-c", "python scripts/check_memory.py && exec scripts/startup.sh gunicorn -c gunicorn.conf.py -b 0.0.0.0:$PORT src.api.scoring_api:app"]
