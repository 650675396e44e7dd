# A service for a bundle made with `bundle.runtime: onnx`: no torch, no DVC. docs/container.md has the commands.
FROM python:3.11-slim

# The list of packages comes from the bundle; the bundle itself, with users' names and habits, is no part of the image.
ARG BUNDLE=artifacts/sample/sample/bundle
COPY ${BUNDLE}/requirements.txt /tagrec/requirements.txt
# Pins alone: an option or an address could have pip run what it finds there.
RUN ! grep --extended-regexp --invert-match '^[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+$' /tagrec/requirements.txt \
    && pip install --no-cache-dir --requirement /tagrec/requirements.txt \
    && useradd --system --create-home tagrec \
    && install --directory --owner tagrec /journal

COPY tagrec.py /tagrec/
COPY pipeline /tagrec/pipeline
COPY project /tagrec/project
COPY commands /tagrec/commands
RUN python -m compileall -q /tagrec

# Mount the bundle at /bundle, read-only, and keep /journal: it holds what people accept.
USER tagrec
VOLUME /journal
EXPOSE 8765
HEALTHCHECK --start-period=10s CMD ["python", "-c", \
    "from urllib.request import urlopen; urlopen('http://127.0.0.1:8765/healthz', timeout=5)"]
ENTRYPOINT ["python", "/tagrec/tagrec.py", "serve", "--bundle", "/bundle", "--journal", "/journal/accepted.sqlite", \
    "--host", "0.0.0.0"]
