# Builds with docker, buildah, podman and kaniko; no feature of BuildKit is needed.
#
#   docker build -t ingestion-satellite .
#   docker build --build-arg NODE_IMAGE=registry.example.com/node:24-slim@sha256:… \
#     --build-arg NPM_REGISTRY=https://npm.example.com/ -t ingestion-satellite .

# For a build that can be repeated, name the digest. Any image with Node.js 24, npm and a shell will do.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
# A mirror, where the build has no internet; npm's own registry otherwise.
ARG NPM_REGISTRY=
# A mirror may have a certificate of your own authority: the build trusts those that the image knows.
ENV NODE_USE_SYSTEM_CA=1
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The build needs the compiler; the image does not. No package gets to run a script of its own.
RUN npm ci --ignore-scripts ${NPM_REGISTRY:+--registry "$NPM_REGISTRY"}
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts ${NPM_REGISTRY:+--registry "$NPM_REGISTRY"}
# Slim images have no ca-certificates, and fetching them would need a mirror of Debian's. Node.js carries the same list.
RUN if [ -s /etc/ssl/certs/ca-certificates.crt ]; then cp /etc/ssl/certs/ca-certificates.crt /ca-certificates.crt; \
    else node -p 'tls.rootCertificates.join("\n")' > /ca-certificates.crt; fi

FROM ${NODE_IMAGE}
# `commit_source: git` needs git, which slim images do not have: GIT=yes installs it from Debian's mirror. Without it the
# satellite reads by REST, and says so.
ARG GIT=
RUN if [ -n "$GIT" ] && ! command -v git; then apt-get update \
      && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*; fi
# Nothing here installs packages any more, and nobody changes users.
RUN rm -rf /usr/local/lib/node_modules /opt/yarn-* /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
      /usr/local/bin/yarn /usr/local/bin/yarnpkg \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && install -d -o 65532 -g 65532 -m 0700 /var/lib/satellite \
    && ln -s /app/dist/main.js /usr/local/bin/satellite
WORKDIR /app
COPY --from=build /ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY schemas ./schemas

ARG NODE_IMAGE
# The version that SEI is told; empty: the one of package.json.
ARG VERSION=
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="ingestion-satellite" \
      org.opencontainers.image.description="Crawls an on-prem Bitbucket Data Center and pushes to Harness SEI" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${NODE_IMAGE}"

# SQLite's temporary files go where there is room: the root may be read-only, and without a /tmp.
ENV NODE_ENV=production \
    BUILD_VERSION=${VERSION} \
    STATE_DIRECTORY=/var/lib/satellite \
    SQLITE_TMPDIR=/var/lib/satellite
VOLUME /var/lib/satellite
USER 65532:65532
# Fails where the loop stands still, and not where SEI or Bitbucket is away, which no restart mends. It is a second
# Node.js of about 70 MiB for a moment, so it gets little room and comes once a minute. With `satellite.listen: off` there
# is nobody to ask: turn it off, too (--no-healthcheck).
HEALTHCHECK --interval=60s --timeout=15s --start-period=30s --retries=3 \
    CMD ["node", "--max-old-space-size=32", "/app/dist/main.js", "status", "--probe"]

# The configuration is mounted at /levelops/config.yml, as for the vendor's image.
# Of 256 MiB, 128 are for objects of JavaScript; buffers, SQLite, threads and Node.js itself need the rest.
ENTRYPOINT ["node", "--max-old-space-size=128", "/app/dist/main.js"]
CMD ["run"]
