# syntax=docker/dockerfile:1

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY internal internal
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -buildvcs=false -trimpath \
      -ldflags "-s -w -X main.version=${VERSION}" \
      -o /out/pipesocketd ./cmd/pipesocketd

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="pipesocketd" \
      org.opencontainers.image.description="Self-hosted WebSocket server for Pusher Channels clients" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
# For webhooks to https:// receivers.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/pipesocketd /pipesocketd
# A number, so that "must not run as root" can be verified without a user list.
USER 65532:65532
# The operations listener stays on loopback, inside the container: set
# PIPESOCKETD_OPS_LISTEN=0.0.0.0:9601 where Prometheus is to reach it.
ENV PIPESOCKETD_LISTEN=0.0.0.0:6001
EXPOSE 6001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/pipesocketd", "healthcheck"]
ENTRYPOINT ["/pipesocketd"]
