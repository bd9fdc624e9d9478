# The server, `faceattr serve`, from this folder, without TensorFlow.
#
#     docker build --tag faceattr .
#     docker run --read-only --tmpfs /tmp --publish 8000:8000 \
#         --env FACEATTR_API_KEYS=$(python3 -c 'import secrets; print(secrets.token_urlsafe())') faceattr
#
# compose.yaml has the same with a file of keys. Other options follow the name of the image.

FROM python:3.12-slim AS build

RUN python -m venv /opt/faceattr
ENV PATH=/opt/faceattr/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY requirements-lean.txt pyproject.toml ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
        print(*project['optional-dependencies']['serve'], sep='\n')" > requirements-serve.txt \
    && pip install -r requirements-lean.txt -r requirements-serve.txt
COPY README.md LICENSE ./
COPY faceattr faceattr
RUN pip install --no-deps . && pip uninstall --yes pip

FROM python:3.12-slim

COPY --from=build /opt/faceattr /opt/faceattr
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin faceattr
USER 10001
ENV PATH=/opt/faceattr/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FACEATTR_HOME=/tmp/faceattr
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["faceattr", "serve", "--host", "0.0.0.0", "--port", "8000"]
