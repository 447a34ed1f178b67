# syntax=docker/dockerfile:1
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The build needs the compiler; the image does not.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY schemas ./schemas
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/satellite
VOLUME /var/lib/satellite
USER 65532:65532
# The configuration is mounted at /levelops/config.yml, as for the vendor's image.
ENTRYPOINT ["node", "/app/dist/main.js", "run"]
