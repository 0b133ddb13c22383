# syntax=docker/dockerfile:1
# Both binaries on nothing but the certificates that they trust; time zones
# are compiled in. The worker is the entry point; the simulated Twilio is
# /usr/local/bin/twilio-sim.

FROM --platform=$BUILDPLATFORM golang:1.26.8-alpine@sha256:8ac98ca534ac3f51e1f420a1dd2c15e74c75cfa0f23f3ad27eb5d7236c349a0c AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
# What --version and engage_build_info say; the build can't see the repository.
ARG VERSION=
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -tags timetzdata -ldflags "-s -w -X main.release=$VERSION" -o /out/ ./cmd/engage-worker ./cmd/twilio-sim

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ /usr/local/bin/
USER 65532:65532
EXPOSE 8080
ENV ENGAGE_CONFIG=/etc/engage/engage.yaml
ENTRYPOINT ["/usr/local/bin/engage-worker"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/engage-worker", "health"]
CMD ["run"]
