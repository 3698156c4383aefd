# docker build -t stagedoor .
# docker run -p 8080:8080 -v stagedoor:/var/lib/stagedoor stagedoor serve --demo --public-url http://localhost:8080

FROM rust:1-bookworm AS build
RUN apt-get update -q && apt-get install -qy --no-install-recommends libpq-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --locked --release --bin stagedoor

FROM debian:bookworm-slim
RUN apt-get update -q && apt-get install -qy --no-install-recommends ca-certificates libpq5 && rm -rf /var/lib/apt/lists/*
# A number, so that an orchestrator can see that it is not root. Data is for this user alone.
RUN groupadd --gid 10001 stagedoor \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/stagedoor --shell /usr/sbin/nologin stagedoor \
 && install -d -m 0700 -o 10001 -g 10001 /var/lib/stagedoor
COPY --from=build /src/target/release/stagedoor /usr/local/bin/stagedoor
USER 10001:10001
WORKDIR /var/lib/stagedoor
VOLUME /var/lib/stagedoor
ENV STAGEDOOR_DATABASE_URL=sqlite:///var/lib/stagedoor/stagedoor.db \
    STAGEDOOR_LISTEN=0.0.0.0:8080
EXPOSE 8080
# SIGTERM is finished cleanly; give it the 30 seconds that it may take.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/stagedoor"]
CMD ["serve"]
