# The batch container: `docker build -t tidemark .`, then `docker run -v $PWD:/work tidemark run --once`.
# The command stops in order at SIGTERM: give it as long as a page takes to land (Fargate: stopTimeout 120).
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm install --no-save --no-progress --loglevel=error
COPY . .
RUN npm run build && npm pack --pack-destination /package

FROM node:24-bookworm-slim
# Certificates: Node has its own, DuckDB and the AWS chain of some set-ups use the system's.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates tini && rm -rf /var/lib/apt/lists/*
COPY --from=build /package/*.tgz /tmp/
RUN npm install --global --omit=dev --no-progress --loglevel=error /tmp/*.tgz && rm /tmp/*.tgz && npm cache clean --force
# Scratch files come to twice a batch's size and die with the task.
ENV NODE_ENV=production NODE_COMPILE_CACHE=/tmp/tidemark-compile-cache
USER node
WORKDIR /work
ENTRYPOINT ["tini", "--", "tidemark"]
CMD ["run"]
