# One image for the server, the agent and the command line: docker build -t quorate .
FROM docker.io/library/node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
# The tree of the image: bundles without node_modules, the commands, and the directories that a
# read-only root needs to exist. Ids are numeric and files world-readable: any uid can run it.
RUN npm run build \
 && mkdir -p /image/opt/quorate /image/usr/local/bin /image/var/lib/quorate /image/run/quorate \
 && cp -r dist /image/opt/quorate/dist \
 && rm -f /image/opt/quorate/dist/*.map \
 && printf '{"type":"module"}\n' > /image/opt/quorate/package.json \
 && cp LICENSE /image/opt/quorate/LICENSE \
 && cp image/* /image/usr/local/bin/ \
 && chmod -R a+rX /image && chmod 755 /image/usr/local/bin/* \
 && chmod 1777 /image/var/lib/quorate /image/run/quorate
# A few plain tools for people and for the agent (mkfifo), from the same Debian as the final image, with
# the libraries of theirs that it lacks. Nothing runs under the shell.
RUN set -e; \
 for tool in sh cat df du echo env head ls mkfifo sleep tail grep; do \
   path="$(readlink -f "$(command -v "/bin/$tool")")"; \
   cp "$path" "/image/usr/local/bin/$tool"; \
   ldd "$path" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p'; \
 done | sort -u | grep -v -E '/lib(c|m|gcc_s|stdc\+\+)\.so' | while read -r library; do \
   real="$(readlink -f "$(dirname "$library")")"; \
   mkdir -p "/image$real"; \
   cp -L "$library" "/image$real/"; \
 done

FROM gcr.io/distroless/nodejs24-debian12:nonroot
LABEL org.opencontainers.image.title="quorate" \
      org.opencontainers.image.description="Coordination server with the ZooKeeper protocol over Raft, its agent and its command line" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
ENV NODE_ENV=production
USER 65532:65532
WORKDIR /var/lib/quorate
EXPOSE 2181 2888 8080 8090
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/quorate"]
CMD ["--help"]
