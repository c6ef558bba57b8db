FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# Which build of torch comes is up to the index: `--build-arg TORCH_INDEX=...` names PyTorch's CPU or CUDA index.
ARG TORCH_INDEX=
COPY requirements/core.txt requirements/core.txt
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep -E '^torch==' requirements/core.txt)" \
 && pip install --no-deps -r requirements/core.txt

RUN useradd --system --create-home touchstone && install -d -o touchstone -g touchstone /var/lib/touchstone
COPY . .
ENV TOUCHSTONE_VAR=/var/lib/touchstone

USER touchstone
EXPOSE 8000
CMD ["python", "-m", "config.web", "--host", "0.0.0.0", "--port", "8000"]
