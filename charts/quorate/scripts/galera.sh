# Functions of the start of a Galera member. Nothing here decides how it starts: that is in the agent's permit.
volume=/var/lib/mysql
data=$volume/data
secrets=/etc/quorate-secrets
run=/run/quorate
settings=--defaults-file=/etc/quorate/my.cnf
# A server that takes part in nothing; with rsync it does not even start without an address.
alone=(--wsrep-on=OFF --wsrep-cluster-address=gcomm://127.0.0.1)

# Where the data of a server that was killed ends only the server can tell. The agent reads it.
recover_position() {
  rm -f "$run/galera-position"
  make_settings
  grep -qs '^seqno: *-1 *$' "$data/grastate.dat" || return 0
  ! grep -q '^uuid: *00000000-0000-0000-0000-000000000000' "$data/grastate.dat" || return 0
  mariadbd "$settings" --wsrep-recover --wsrep-cluster-address=gcomm://127.0.0.1 --log-error="$run/recovery.log" ||
    tail -n 50 "$run/recovery.log" >&2
  sed -n 's/.*WSREP: Recovered position: *//p' "$run/recovery.log" | tail -n 1 >"$run/galera-position.new"
  rm -f "$run/recovery.log"
  mv "$run/galera-position.new" "$run/galera-position"
}

# What the settings include: the password with which members copy from each other.
make_settings() {
  mkdir -p "$volume/tmp" "$data"
  copying=$(cat "$secrets/copy-password")
  case $copying in
    '' | *[!A-Za-z0-9._~+/=-]*)
      echo 'copy-password: letters, digits and . _ ~ + / = - are what a settings file takes' >&2
      exit 78
      ;;
  esac
  (umask 077 && printf '[mariadbd]\nwsrep-sst-auth = quorate-copy:%s\n' "$copying" >"$run/copy.cnf")
}

# A text as SQL has it.
quoted() { # text
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\'\'}"
}

# The users that a new cluster begins with.
users() {
  local password
  password=$(quoted "$(cat "$secrets/root-password")")
  # What mariadb-install-db makes beside these may come in without a password.
  printf '%s;\n' "DELETE FROM mysql.global_priv WHERE (User, Host) NOT IN (('root', 'localhost'), ('mariadb.sys', 'localhost'))" \
    'FLUSH PRIVILEGES' \
    "ALTER USER root@localhost IDENTIFIED BY $password" \
    "CREATE USER root@'%' IDENTIFIED BY $password" \
    "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION" \
    "CREATE USER 'quorate-agent'@localhost IDENTIFIED BY $(quoted "$(cat "$secrets/agent-password")")" \
    "GRANT SUPER, SHUTDOWN, RELOAD ON *.* TO 'quorate-agent'@localhost" \
    "CREATE USER 'quorate-copy'@localhost IDENTIFIED BY $(quoted "$copying")" \
    "GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, REPLICA MONITOR ON *.* TO 'quorate-copy'@localhost"
  [ ! -f /etc/quorate/databases.sql ] || cat /etc/quorate/databases.sql
  local name
  for name in $(cd "$secrets" && ls); do
    case $name in
      user-*) printf "ALTER USER %s@'%%' IDENTIFIED BY %s;\n" "$(quoted "${name#user-}")" "$(quoted "$(cat "$secrets/$name")")" ;;
    esac
  done
}

# The data directory of a new cluster. No user is in it that nobody asked for.
found_cluster() {
  mariadb-install-db "$settings" --datadir="$data" "${alone[@]}" --skip-test-db --skip-name-resolve \
    --auth-root-authentication-method=normal >&2
  users | mariadbd "$settings" "${alone[@]}" --bootstrap
}

# The words of the permit, then arguments for the server.
start_server() {
  mode=$1
  shift
  rm -rf "$volume/tmp"
  mkdir -p "$volume/tmp"
  [ "$mode" != found ] || found_cluster
  exec mariadbd "$settings" --server-id=$((${POD_NAME##*-} + 1)) --wsrep-node-name="$POD_NAME" \
    --wsrep-node-address="$POD_IP" "$@"
}
