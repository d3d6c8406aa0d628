# Serves a zoo.cfg by Quorate: serve FILE PROPERTY... For Java's properties of ZooKeeper, which a suite gives
# on the command line, there are keys in the file; the suite's own file stays as it is.
serve() {
  file="$1"
  shift
  cp "$file" "$file.served"
  for property; do
    case "$property" in
      -Dzookeeper.log.* | -Dzookeeper.root.*) ;;
      -Dzookeeper.*=*) echo "${property#-Dzookeeper.}" >>"$file.served" ;;
      -Dreadonlymode.enabled=* | -Djava.security.auth.login.config=*) echo "${property#-D}" >>"$file.served" ;;
    esac
  done
  # A suite kills what it started: the server takes the place of the shell.
  exec "$QUORATE_NODE" --enable-source-maps "$QUORATE_BUNDLE" serve "$file.served" >>"$file.log" 2>&1
}
