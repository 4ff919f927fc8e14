# nginx with the module, the page and ffmpeg:
#
#     docker build -t ngx-rtmp .
#     docker run -p 1935:1935 -p 8080:8080 ngx-rtmp
#
# Another configuration: -v ./nginx.conf:/etc/nginx/nginx.conf:ro

FROM debian:bookworm-slim AS module
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates cargo-web rustc-web \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# What the packages depend on comes first: a change elsewhere does not install them again.
COPY scripts scripts
COPY Cargo.toml ./
RUN scripts/setup build
COPY . .
RUN scripts/build

FROM debian:bookworm-slim AS page
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates npm \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /page
COPY nginx-conf/package.json nginx-conf/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY nginx-conf/html html
RUN cp node_modules/hls.js/dist/hls.min.js html/js/

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="ngx-rtmp" \
      org.opencontainers.image.description="A live-video server as one nginx module: RTMP in; RTMP and HLS out" \
      org.opencontainers.image.licenses="BSD-2-Clause"
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl ffmpeg nginx \
    && rm -rf /var/lib/apt/lists/*

# nginx's prefix: relative paths in nginx.conf are relative to it.
WORKDIR /srv/ngx-rtmp
RUN mkdir hls logs tmp \
    && chown www-data:www-data hls logs tmp \
    && ln -s /dev/stdout logs/access.log \
    && ln -s /usr/lib/nginx/modules modules
COPY --from=module /src/target/module/ngx_rtmp_module.so /usr/lib/nginx/modules/
COPY --from=page /page/html html
COPY nginx-conf/nginx.conf /etc/nginx/nginx.conf

# www-data, as a number: Kubernetes can tell only of a number that it is not root.
USER 33:33
EXPOSE 1935 8080
# Ends the streams in good order. SIGQUIT would wait for the publishers to leave by themselves.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/"]
ENTRYPOINT ["nginx", "-p", "/srv/ngx-rtmp/", "-e", "stderr"]
CMD ["-g", "daemon off;"]
