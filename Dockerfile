# The server, on the CPU: docker build -t lowlight . && docker run --rm -p 8000:8000 lowlight
# The model that comes with lowlight enhances; its weights are for research only.
FROM python:3.12-slim AS wheel
RUN pip install --no-cache-dir "hatchling>=1.26"
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY conf conf
COPY lowlight lowlight
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheel .

FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt /constraints.txt
# torch first, from where it comes without the CUDA libraries, which take gigabytes
RUN pip install -c /constraints.txt --extra-index-url https://download.pytorch.org/whl/cpu torch
COPY --from=wheel /wheel /wheel
RUN pip install -c /constraints.txt "$(ls /wheel/*.whl)[serve,photo]" && rm -r /wheel /constraints.txt
RUN useradd --create-home --uid 1000 lowlight
USER lowlight
WORKDIR /home/lowlight
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# Reached by another name than localhost or an address, such as a proxy's: add --allow-host NAME.
# Models of your own: -v "$PWD/outputs:/runs:ro" and --runs /runs.
ENTRYPOINT ["lowlight"]
CMD ["serve", "--host", "0.0.0.0"]
