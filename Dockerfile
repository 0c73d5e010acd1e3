# fbm with its tools, in the exact versions of requirements.lock.
#   docker build -t fbm .                                                            with torch's CUDA build
#   docker build -t fbm --build-arg DEVICE=cpu --build-arg PIP_FIND_LINKS=PAGE .     CPU alone: a fifth of the size
#   docker run --rm -v "$PWD:/here" fbm prepare data=demo
#   docker run --rm --gpus all --shm-size 8g -v "$PWD:/here" fbm train data=demo
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

# cuda, or cpu: the build of torch that the package index has for x86-64 is CUDA's.
ARG DEVICE=cuda
ARG TORCH=2.13.0
# Where pip also looks: for DEVICE=cpu, PyTorch's page of CPU wheels (named in its installation guide).
ARG PIP_FIND_LINKS=""

WORKDIR /opt/fbm
# What changes least comes first. The lock has hashes for all but torch, which brings CUDA's libraries itself.
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
RUN case "$DEVICE" in \
      cuda) pip install --no-cache-dir "torch==${TORCH}" ;; \
      cpu) pip install --no-cache-dir "torch==${TORCH}+cpu" ;; \
      *) echo "DEVICE=$DEVICE: it should be cuda or cpu" >&2; exit 1 ;; \
    esac
COPY pyproject.toml README.md LICENSE ./
COPY fbm fbm
COPY conf conf
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

WORKDIR /here
ENTRYPOINT ["fbm"]
CMD ["--help"]
